"""The declaration of an operation, and the registry of all of them.

A declaration is what the API documents, what submission checks and what the worker runs.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from marshmallow import Schema
from sqlalchemy.orm import Session

from stellwerk.configuration.rates import RateClass
from stellwerk.errors import ErrorCode, NotFound
from stellwerk.jobs.history import History

if TYPE_CHECKING:
    from stellwerk.jobs.model import Job
    from stellwerk.jobs.runtime import Runtime

JITTER = 0.1  # of a planned delay, to either side

Payload = dict[str, Any]
Hook = Callable[[Session, "Job", "Runtime"], None]


class Scope(StrEnum):
    """Whose a job of the operation is: its submitter's, everybody's, or the operators'."""

    OWNER = "owner"
    SHARED = "shared"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Step:
    """A named part of an operation; `weight` is its share of the progress.

    `undo=True`: when the job fails or is cancelled after this step was done, the worker's undo
    handler for it runs, in reverse order of the steps.
    """

    name: str
    weight: int = 1
    undo: bool = False


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and when a failed attempt is repeated: full jitter over `base_s * 2**failures`.

    With `delays_s` it is instead repeated after each of these, give or take a tenth.
    """

    max_attempts: int = 5
    base_s: float = 2.0
    max_s: float = 600.0
    delays_s: tuple[float, ...] = ()

    @classmethod
    def after(cls, *delays_s: float) -> "RetryPolicy":
        """One attempt at once, and one after each of the delays."""
        return cls(max_attempts=len(delays_s) + 1, delays_s=delays_s)

    def delay_s(self, failures: int) -> float:
        """How long to wait after a failed attempt that had this many before it."""
        if self.delays_s:
            planned_s = self.delays_s[min(failures, len(self.delays_s) - 1)]
            return planned_s * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  not a secret
        return random.uniform(0, min(self.max_s, self.base_s * 2**failures))  # noqa: S311  the same


@dataclass(frozen=True, slots=True)
class Operation:
    """A kind of work, declared once.

    `max_running` and `max_running_per_owner` bound how many of its jobs run at once, on the whole
    platform and for each owner; further ones wait. `max_share` bounds the former by a share of its
    queue's slots (at least one), for jobs that wait for others and must not take all of them.

    `estimate_eur` says what a job with this payload will cost; its `on_accept` and `on_requeue`
    reserve that from the owner's budget.

    `rate_class` limits how often a user may ask for it, beside the limit on all of their requests.

    `secrets` are sealed before the payload is stored; `on_accept` moves them to a row of which
    `sealed.py` tells, so that they come under new keys. Schedules keep none.

    Hooks run inside the ledger's own transactions, in whichever process makes the change:
    `on_accept` where domain rows belong to the submission (it may refuse by raising a
    StellwerkError), `on_end` when the job ends, whoever ends it (it cannot refuse: see
    telling.py), `on_requeue` when somebody retries an ended job (it may refuse).
    """

    name: str  # noun.verb
    summary: str
    payload: type[Schema]
    queue: str
    permission: str
    time_limit_s: float
    result: type[Schema] | None = None
    version: int = 1
    scope: Scope = Scope.OWNER
    steps: tuple[Step, ...] = ()
    retry: RetryPolicy = RetryPolicy()
    max_running: int | None = None
    max_share: float | None = None  # above 0, to 1
    max_running_per_owner: int | None = None
    estimate_eur: Callable[["Runtime", Payload], Decimal] | None = None
    rate_class: RateClass | None = None
    unique_key: Callable[[Payload], str] | None = None
    is_sensitive: bool = False
    secrets: tuple[str, ...] = ()  # members of the payload that are sealed by themselves
    files_permission: str = ""  # to read its files, where these are sealed; empty: `permission`
    requires_idempotency_key: bool = False  # of callers with an API key
    is_internal: bool = False  # the platform submits it: in lists only for those who ask for it
    on_accept: Hook | None = None
    on_end: Hook | None = None
    on_requeue: Hook | None = None
    upcasters: Mapping[int, Callable[[Payload], Payload]] = field(default_factory=dict)

    def upcast(self, payload: Payload, version: int) -> Payload:
        """A payload of an older version in today's shape."""
        for older in range(version, self.version):
            payload = self.upcasters[older](payload)
        return payload

    def undoable_steps(self) -> tuple[str, ...]:
        """Names of the steps that are rolled back, last first."""
        return tuple(step.name for step in reversed(self.steps) if step.undo)


class Registry:
    """Every declared operation, by name, and how long each took lately."""

    def __init__(self, operations: Iterator[Operation] | tuple[Operation, ...]) -> None:
        self.history = History()
        self._operations: dict[str, Operation] = {}
        for operation in operations:
            if operation.name in self._operations:
                message = f"Operation {operation.name} is declared twice."
                raise ValueError(message)
            self._operations[operation.name] = operation
        self.internal = frozenset(name for name, one in self._operations.items() if one.is_internal)

    def __iter__(self) -> Iterator[Operation]:
        return iter(sorted(self._operations.values(), key=lambda operation: operation.name))

    def names(self) -> list[str]:
        """The operations' names."""
        return list(self._operations)

    def __contains__(self, name: object) -> bool:
        return name in self._operations

    def get(self, name: str) -> Operation:
        """The operation of that name; raises NotFound (OPERATION_UNKNOWN)."""
        try:
            return self._operations[name]
        except KeyError:
            message = f"There is no operation {name!r}. GET /api/v1/operations lists them."
            raise NotFound(message, code=ErrorCode.OPERATION_UNKNOWN) from None
