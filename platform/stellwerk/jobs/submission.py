"""Accepting a job: it is durable before anybody is told, and published only after that."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from marshmallow import Schema, ValidationError
from sqlalchemy import case, func, select, text, true
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from stellwerk.clock import new_id
from stellwerk.errors import Conflict, FieldError, InvalidInput, Unavailable
from stellwerk.jobs.idempotency import Once, reserve
from stellwerk.jobs.insertion import insert
from stellwerk.jobs.lineage import Parent, adopted, inherited
from stellwerk.jobs.model import Job
from stellwerk.jobs.operation import Operation, Payload
from stellwerk.jobs.ports import Wakeup
from stellwerk.jobs.queues import choices
from stellwerk.jobs.runtime import Runtime, Unit, leave_to_dispatcher, unit
from stellwerk.jobs.sealing import seal
from stellwerk.jobs.uniqueness import Key, keys_of, refusal, take, take_within
from stellwerk.jobs.window import may_publish, publication_values
from stellwerk.tracing import carrier
from stellwerk.vault import Vault


@dataclass(frozen=True, slots=True)
class Submission:
    """A request for an operation, by name, with a payload that was not checked yet."""

    operation: str
    payload: Payload
    owner_id: int | None
    run_at: datetime | None = None  # None: now
    queue: str | None = None  # None: the operation's
    unique_key: str | None = None
    tags: tuple[str, ...] = ()
    callback_url: str | None = None
    request_id: str | None = None
    once: Once | None = None
    trace_context: dict[str, str] | None = field(default_factory=carrier)
    parent: Parent | None = None  # whose owner, tags and request it takes over
    job_id: UUID = field(default_factory=new_id)


def submit(runtime: Runtime, submission: Submission) -> UUID:
    """Check, store and announce a job; returns its id once it is durable.

    Raises NotFound (no such operation), InvalidInput (payload), Conflict (DUPLICATE_JOB),
    Unavailable (Postgres gone), whatever the operation's `on_accept` refuses with, and for a
    request that was carried out before what `idempotency.reserve` raises.
    """
    operation = runtime.registry.get(submission.operation)
    payload = checked_payload(operation, submission.payload)
    try:
        _store(runtime, operation, submission, payload)
    except DBAPIError as exc:
        if not exc.connection_invalidated or not is_stored(runtime, submission.job_id):
            raise
        leave_to_dispatcher(runtime, [submission.job_id])  # nobody was told of it
    return submission.job_id


def accept(runtime: Runtime, work: Unit, submission: Submission, payload: Payload) -> Job:
    """Insert the job and its domain rows within a transaction of the caller.

    Raises Conflict (DUPLICATE_JOB), and what `lineage.inherited` does where the job has a parent,
    which it locks.
    """
    operation = runtime.registry.get(submission.operation)
    values = columns(runtime.vault, operation, submission, payload)
    if submission.parent:
        family = inherited(work.session, runtime.settings, submission.parent)
        values = adopted(values, family, submission.parent)
    job = Job(**values, run_at=submission.run_at or func.now())
    job.published_at = _published_at(runtime, work.session, submission, operation)
    take_within(work.session, keys_of(values), lambda: _add(work.session, job))
    if job.published_at:
        work.wakeups.append(Wakeup(job.id, 0, job.operation, job.queue))
    if operation.on_accept:
        operation.on_accept(work.session, job, runtime)
    work.changed.add(job.id)
    return job


def checked_payload(operation: Operation, payload: Any) -> Payload:
    """The payload as plain JSON, defaults filled in; raises InvalidInput naming each field."""
    schema = cached(operation.payload)
    try:
        loaded = schema.load(payload)
    except ValidationError as exc:
        raise InvalidInput(
            f"The payload of {operation.name} is not valid.", errors=field_errors(exc.messages)
        ) from exc
    dumped: Payload = schema.dump(loaded)
    return dumped


@cache
def cached(kind: type[Schema]) -> Schema:
    """One instance for the process: making one costs more than a load."""
    return kind()


def field_errors(messages: Any, path: str = "") -> list[FieldError]:
    """Marshmallow's nested messages as a flat list with dotted paths."""
    if isinstance(messages, dict):
        return [
            error
            for name, inner in messages.items()
            for error in field_errors(inner, path if name == "_schema" else f"{path}.{name}")
        ]
    reasons = messages if isinstance(messages, list) else [messages]
    return [FieldError(path.lstrip("."), str(reason)) for reason in reasons]


def is_stored(runtime: Runtime, job_id: UUID) -> bool:
    """Whether a job whose COMMIT went unanswered is in the ledger; raises Unavailable."""
    try:
        with runtime.sessions() as session:
            return session.get(Job, job_id) is not None
    except DBAPIError as exc:
        message = "The ledger does not answer; the job may or may not be stored. Try again."
        raise Unavailable(message, retry_after_s=2) from exc


def chosen_queue(operation: Operation, wanted: str | None) -> str:
    """Where its job goes; raises InvalidInput naming the queues that it may go to."""
    allowed = choices(operation.queue)
    if wanted in (None, *allowed):
        return wanted or operation.queue
    reason = f"{operation.name} goes to one of: {', '.join(allowed)}."
    raise InvalidInput(
        "The queue is not one of the operation's.", errors=[FieldError("queue", reason)]
    )


def columns(
    vault: Vault, operation: Operation, submission: Submission, payload: Payload
) -> dict[str, Any]:
    """What a new job's row is given, but for its times."""
    return {
        "id": submission.job_id,
        "operation": operation.name,
        "operation_version": operation.version,
        "owner_id": submission.owner_id,
        "queue": chosen_queue(operation, submission.queue),
        **_of_payload(vault, operation, submission.job_id, payload),
        "max_attempts": operation.retry.max_attempts,
        "unique_key": submission.unique_key,
        "tags": list(submission.tags),
        "callback_url": submission.callback_url,
        "request_id": submission.request_id,
        "trace_context": submission.trace_context,
    }


def _of_payload(
    vault: Vault, operation: Operation, job_id: UUID, payload: Payload
) -> dict[str, Any]:
    """The payload, and what is known by it: of a sensitive one nothing that could be read."""
    key = operation.unique_key(payload) if operation.unique_key else None
    if operation.is_sensitive:
        key = key and vault.lookups(f"{operation.name}\0{key}")[0]
        payload = seal(vault, job_id, payload)
    else:
        held = [name for name in operation.secrets if payload.get(name)]
        payload = payload | {name: seal(vault, job_id, payload[name]) for name in held}
    return {"payload": payload, "operation_key": key, "is_sensitive": operation.is_sensitive}


def _store(
    runtime: Runtime, operation: Operation, submission: Submission, payload: Payload
) -> None:
    """In one statement, unless the operation's domain or a parent has a say."""
    if operation.on_accept or submission.parent:
        with unit(runtime) as work:
            reserve(work.session, submission.once, [submission.job_id])
            accept(runtime, work, submission, payload)
        return
    condition, values = _publication(runtime, operation, submission)
    stored = columns(runtime.vault, operation, submission, payload) | {"run_at": submission.run_at}
    take(
        lambda: insert(runtime, values | stored, condition, submission.once),
        lambda: _refusal(runtime, keys_of(stored)),
    )


def _published_at(
    runtime: Runtime, session: Session, submission: Submission, operation: Operation
) -> datetime | None:
    condition, values = _publication(runtime, operation, submission)
    due = true() if submission.run_at is None else func.now() >= submission.run_at
    return session.scalar(select(case((due & text(condition), func.now()))), values)


def _publication(
    runtime: Runtime, operation: Operation, submission: Submission
) -> tuple[str, dict[str, Any]]:
    """When a new job is published at once, as SQL and its values."""
    settings, queue = runtime.settings, chosen_queue(operation, submission.queue)
    values = publication_values(settings, operation, queue) | {"owner_id": submission.owner_id}
    return may_publish(settings, operation, queue), values


def _refusal(runtime: Runtime, keys: Collection[Key]) -> Conflict | None:
    with runtime.sessions() as session:
        return refusal(session, keys)


def _add(session: Session, job: Job) -> None:
    session.add(job)
    session.flush()
