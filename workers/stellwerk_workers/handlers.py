"""Which function carries out which operation."""

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

import stellwerk_workers
from stellwerk.jobs.context import JobContext

Handler = Callable[[JobContext, dict[str, Any]], dict[str, Any] | None]
Undo = Callable[[JobContext, Any], None]

_HANDLERS: dict[str, Handler] = {}
_UNDOS: dict[tuple[str, str], Undo] = {}

PROCESSES = frozenset(
    {
        "app",
        "beat",
        "beat_app",
        "beginnings",
        "collecting",
        "consuming",
        "dispatcher",
        "finisher",
        "flower",
        "handlers",
        "handling",
        "heartbeat",
        "lists",
        "outages",
        "popped",
        "presence",
        "reports",
        "reshowing",
        "runner",
        "undo",
        "verdicts",
        "workdirs",
    }
)


def handles(operation: str) -> Callable[[Handler], Handler]:
    """The decorated function carries out this operation: `(ctx, payload) -> result`."""

    def register(handler: Handler) -> Handler:
        if operation in _HANDLERS:
            message = f"{operation} has two handlers."
            raise ValueError(message)
        _HANDLERS[operation] = handler
        return handler

    return register


def undoes(operation: str, step: str) -> Callable[[Undo], Undo]:
    """The decorated function rolls a step back: `(ctx, the step's stored output)`.

    It may run more than once, and for a step that only began (output None).
    """

    def register(undo: Undo) -> Undo:
        _UNDOS[operation, step] = undo
        return undo

    return register


def load_handlers() -> dict[str, Handler]:
    """Import every noun's module of this package and return what they handle."""
    for found in pkgutil.iter_modules(stellwerk_workers.__path__, "stellwerk_workers."):
        if found.name.rpartition(".")[2] not in PROCESSES:
            importlib.import_module(found.name)
    return dict(_HANDLERS)


def handler_of(operation: str) -> Handler:
    """The handler of an operation; KeyError where there is none."""
    return _HANDLERS[operation]


def undo_of(operation: str, step: str) -> Undo:
    """The undo handler of a step; KeyError where there is none."""
    return _UNDOS[operation, step]


def forget(operation: str) -> None:
    """Drop an operation's handlers (a declared operation keeps its own for ever)."""
    _HANDLERS.pop(operation, None)
    for key in [key for key in _UNDOS if key[0] == operation]:
        del _UNDOS[key]
