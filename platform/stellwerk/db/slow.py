"""Log lines of statements that take long. Their values are never part of it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from sqlalchemy import Engine, ExceptionContext, event

SHOWN_CHARACTERS = 1000

_BEGAN = "stellwerk_began_at"

log = structlog.get_logger()


def watch(engine: Engine, slow_query_s: float) -> None:
    """Log what takes longer through this engine's connections, failed or not; 0: nothing."""
    if not slow_query_s:
        return

    def begin(_: Any, __: Any, ___: Any, ____: Any, context: Any, _____: Any) -> None:
        setattr(context, _BEGAN, time.perf_counter())

    def end(_: Any, __: Any, statement: str, ___: Any, context: Any, ____: Any) -> None:
        _note(statement, getattr(context, _BEGAN), slow_query_s)

    def fail(failed: ExceptionContext) -> None:
        began = getattr(failed.execution_context, _BEGAN, None)
        if began is not None and failed.statement:
            _note(failed.statement, began, slow_query_s)

    event.listen(engine, "before_cursor_execute", begin)
    event.listen(engine, "after_cursor_execute", end)
    event.listen(engine, "handle_error", fail)


@contextmanager
def timed(statement: str, slow_query_s: float) -> Iterator[None]:
    """Log a statement that the engine does not see, if it takes longer; 0: never."""
    began = time.perf_counter()
    try:
        yield
    finally:
        _note(statement, began, slow_query_s)


def _note(statement: str, began: float, slow_query_s: float) -> None:
    duration_s = time.perf_counter() - began
    if slow_query_s and duration_s >= slow_query_s:
        shown = " ".join(statement.split())[:SHOWN_CHARACTERS]
        log.warning("slow query", duration_ms=round(duration_s * 1000, 1), statement=shown)
