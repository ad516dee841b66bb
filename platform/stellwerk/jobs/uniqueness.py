"""Keys of which one unfinished job at a time may hold each.

A sender's `unique_key` holds back jobs of the same owner; an `operation_key`, which the operation's
declaration computes from the payload, holds back everybody's. A job may have both.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Row, func, select, text, tuple_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from stellwerk.errors import Conflict, ErrorCode
from stellwerk.jobs.indices import ACTIVE
from stellwerk.jobs.model import Job

INDICES = frozenset({"uq_jobs_unique_key", "uq_jobs_operation_key"})
TRIES = 3  # each after the first follows a holder that ended just then
RETRY_AFTER_S = 1

_READ = (Job.id, Job.operation, Job.owner_id, Job.unique_key, Job.operation_key)
_OWNER = func.coalesce(Job.owner_id, 0)  # as in the index
_BY_SENDERS = tuple_(Job.operation, _OWNER, Job.unique_key)
_BY_OPERATIONS = tuple_(Job.operation, Job.operation_key)


class Key(NamedTuple):
    """One key; `column` of `jobs` has it, `owner` is 0 where it holds for everybody."""

    column: str
    operation: str
    owner: int
    value: str


def keys_of(row: Mapping[str, Any]) -> tuple[Key, ...]:
    """The keys in the columns of a job."""
    operation, owner = row["operation"], row["owner_id"] or 0
    held = (("unique_key", owner), ("operation_key", 0))
    return tuple(
        Key(column, operation, of, row[column]) for column, of in held if row[column] is not None
    )


def holders(session: Session, keys: Collection[Key]) -> dict[Key, UUID]:
    """The unfinished job that holds each key; a key that nobody holds is left out."""
    sent = [key[1:] for key in keys if key.column == "unique_key"]
    declared = [(key.operation, key.value) for key in keys if key.column == "operation_key"]
    rows: list[Row[Any]] = []
    for columns, values in ((_BY_SENDERS, sent), (_BY_OPERATIONS, declared)):
        if values:
            query = select(*_READ).where(columns.in_(values), text(ACTIVE))
            rows += session.execute(query)
    held = {key: row.id for row in rows for key in keys_of(row._asdict())}
    return {key: held[key] for key in keys if key in held}


def refusal(session: Session, keys: Collection[Key]) -> Conflict | None:
    """Names a job that holds one of the keys; None where nobody does any more."""
    for key, job_id in holders(session, keys).items():
        message = f"Another {key.operation} with the key {key.value!r} is not finished yet."
        return Conflict(message, code=ErrorCode.DUPLICATE_JOB, details={"job_id": str(job_id)})
    return None


def take(change: Callable[[], None], refused: Callable[[], Conflict | None]) -> None:
    """Make a change that takes keys; raises what `refused` gives where others hold them.

    Where it gives nothing they have ended since, and the change is tried again.
    """
    for _ in range(TRIES):
        try:
            return change()
        except IntegrityError as exc:
            if not is_duplicate(exc):
                raise
            error = refused()
            if error:
                raise error from exc
    message = "Jobs with its key come and go. Send it again."
    raise Conflict(message, code=ErrorCode.DUPLICATE_JOB, retry_after_s=RETRY_AFTER_S)


def take_within(session: Session, keys: Collection[Key], change: Callable[[], None]) -> None:
    """The same within a transaction, which goes on if its caller handles the Conflict."""
    if not keys:
        return change()

    def nested() -> None:
        with session.begin_nested():
            change()

    return take(nested, lambda: refusal(session, keys))


def is_duplicate(exc: IntegrityError) -> bool:
    """Whether an unfinished job holds a key."""
    diagnosis = getattr(exc.orig, "diag", None)
    return getattr(diagnosis, "constraint_name", None) in INDICES
