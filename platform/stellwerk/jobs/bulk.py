"""Accepting many jobs at once: all of them or none, in one statement.

They go to the ledger unpublished; a turn of each queue then publishes as many as its window has
room for, as a dispatcher would, and the dispatchers do the rest. Nothing is shown of them yet:
their first reader, or their worker, does that.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import orjson
import structlog
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from stellwerk.db.direct import Prepared, prepared
from stellwerk.errors import (
    Conflict,
    ErrorCode,
    FieldError,
    InvalidInput,
    NotFound,
    StellwerkError,
)
from stellwerk.jobs import idempotency
from stellwerk.jobs.dispatch import publish_due
from stellwerk.jobs.idempotency import Once, found, reserve
from stellwerk.jobs.insertion import COLUMNS
from stellwerk.jobs.model import Job
from stellwerk.jobs.operation import Payload
from stellwerk.jobs.runtime import Runtime, leave_to_dispatcher, unit
from stellwerk.jobs.states import JobStatus, PublicStatus, public_status
from stellwerk.jobs.submission import (
    Submission,
    accept,
    checked_payload,
    chosen_queue,
    columns,
    is_stored,
)
from stellwerk.jobs.uniqueness import Key, holders, keys_of, take

log = structlog.get_logger()

MAX_ERRORS = 100  # named in one refusal

_NAMES = ", ".join(COLUMNS)
_RECORD = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
_ROWS = f"""
    INSERT INTO jobs ({_NAMES}, run_at)
    SELECT {", ".join(f"given.{name}" for name in COLUMNS)}, coalesce(given.run_at, now())
    FROM json_to_recordset(:jobs) AS given({_RECORD}, run_at timestamptz)
"""
# Whoever takes a key waits for others that are taking it: two with the same keys are not to wait
# for each other in a ring. ("C" is the order of `_by_keys`, too.)
_BY_KEYS = """
    ORDER BY given.unique_key COLLATE "C", given.operation_key COLLATE "C" RETURNING 1
"""
_STORE = prepared(
    "store_jobs",
    f"WITH stored AS ({_ROWS} {_BY_KEYS}) SELECT count(*) FROM stored",
    jobs="json",
)
_STORE_ONCE = prepared(
    "store_jobs_once",
    f"""
    WITH reserved AS ({idempotency.RESERVE}),
    stored AS ({_ROWS} CROSS JOIN reserved {_BY_KEYS}) SELECT count(*) FROM stored
    """,
    jobs="json",
    **idempotency.TYPES,
)

Entry = tuple[Submission, Payload]
Places = Mapping[Key, Sequence[int]]

_FIELDS = {"unique_key": "unique_key", "operation_key": "payload"}  # what a key was given by


def submit_all(
    runtime: Runtime, submissions: Sequence[Submission], once: Once | None = None
) -> None:
    """Check and store every job, or none; their ids are durable when this returns.

    Raises InvalidInput naming each wrong entry (`jobs.17.payload.message`), Conflict
    (DUPLICATE_JOB) naming each whose unique key is taken, and what `submission.submit` raises.
    """
    entries = list(zip(submissions, _checked(runtime, submissions), strict=True))
    try:
        if any(runtime.registry.get(one.operation).on_accept for one in submissions):
            _store_with_domains(runtime, entries, once)
        else:
            _store(runtime, entries, once)
    except DBAPIError as exc:
        if not exc.connection_invalidated or not is_stored(runtime, submissions[0].job_id):
            raise
        leave_to_dispatcher(runtime, [one.job_id for one in submissions])  # nobody was told


def present(session: Session, job_ids: Sequence[UUID]) -> dict[UUID, tuple[str, PublicStatus]]:
    """Operation and public status of each job that the ledger has."""
    is_ahead = Job.run_at > func.clock_timestamp()
    query = select(Job.id, Job.operation, Job.status, is_ahead, Job.attempt > 0, Job.ending)
    return {
        job_id: (
            operation,
            public_status(
                JobStatus(status),
                is_ahead=ahead,
                was_tried=tried,
                is_undoing=ending is not None,
            ),
        )
        for job_id, operation, status, ahead, tried, ending in session.execute(
            query.where(Job.id.in_(job_ids))
        )
    }


def _checked(runtime: Runtime, submissions: Sequence[Submission]) -> list[Payload]:
    payloads, errors = [], []
    for index, submission in enumerate(submissions):
        try:
            operation = runtime.registry.get(submission.operation)
            chosen_queue(operation, submission.queue)
        except NotFound as exc:
            errors.append(FieldError(f"jobs.{index}.operation", exc.message))
        except InvalidInput as exc:
            errors += _moved(f"jobs.{index}", exc)
        else:
            try:
                payloads.append(checked_payload(operation, submission.payload))
            except InvalidInput as exc:
                errors += _moved(f"jobs.{index}.payload", exc)
    if errors:
        raise _invalid(errors)
    return payloads


def _moved(place: str, exc: InvalidInput) -> list[FieldError]:
    given = exc.errors or (FieldError("", exc.message),)
    return [FieldError(f"{place}.{one.field}".rstrip("."), one.reason) for one in given]


def _rows(runtime: Runtime, entries: Sequence[Entry]) -> list[dict[str, Any]]:
    rows = [
        columns(runtime.vault, runtime.registry.get(one.operation), one, payload)
        | {"run_at": one.run_at}
        for one, payload in entries
    ]
    errors = [
        FieldError(_place(second, key), f"The same key as that of jobs.{first}: {key.value!r}.")
        for key, (first, *others) in _by_key(rows).items()
        for second in others
    ]
    if errors:
        raise _invalid(errors)
    return rows


def _by_key(rows: Sequence[Mapping[str, Any]]) -> Places:
    """The places of entries by each of their keys."""
    places = defaultdict(list)
    for index, row in enumerate(rows):
        for key in keys_of(row):
            places[key].append(index)
    return places


def _place(index: int, key: Key) -> str:
    return f"jobs.{index}.{_FIELDS[key.column]}"


def _store(runtime: Runtime, entries: Sequence[Entry], once: Once | None) -> None:
    rows = _rows(runtime, entries)
    values = {"jobs": orjson.dumps(rows, option=orjson.OPT_NON_STR_KEYS).decode()}
    statement = _STORE
    if once:
        statement = _STORE_ONCE
        values |= once.values([row["id"] for row in rows])
    take(
        lambda: _insert(runtime, statement, values, once),
        lambda: _refusal(runtime, _by_key(rows)),
    )
    _publish(runtime, {row["queue"] for row in rows})


def _insert(
    runtime: Runtime, statement: Prepared, values: dict[str, Any], once: Once | None
) -> None:
    ((stored,),) = runtime.direct.rows(statement, values)
    if once and not stored:
        with runtime.sessions() as session:
            raise found(session, once)


def _publish(runtime: Runtime, queues: set[str]) -> None:
    """Whatever fails here, a dispatcher does a moment later."""
    try:
        for queue in sorted(queues):
            if not runtime.publisher.is_paused():
                publish_due(runtime, queue)
    except DBAPIError as exc:
        log.warning("jobs are left to the dispatcher", reason=str(exc.orig))


def _store_with_domains(runtime: Runtime, entries: Sequence[Entry], once: Once | None) -> None:
    rows = _rows(runtime, entries)
    places = _by_key(rows)
    with unit(runtime) as work:
        reserve(work.session, once, [one.job_id for one, _ in entries])
        taken = _taken(work.session, places)
        if taken:
            raise taken
        for index in _by_keys(rows):
            with _naming(index):
                accept(runtime, work, *entries[index])


def _by_keys(rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """The places of entries in the order in which everybody takes their keys."""

    def order(index: int) -> list[tuple[bool, str]]:
        keys = (rows[index][column] for column in ("unique_key", "operation_key"))
        return [(key is None, key or "") for key in keys]

    return sorted(range(len(rows)), key=order)


@contextmanager
def _naming(index: int) -> Iterator[None]:
    """A domain's refusal says of which entry."""
    try:
        yield
    except InvalidInput as exc:
        moved = _moved(f"jobs.{index}.payload", exc)
        raise InvalidInput(exc.message, code=exc.code, errors=moved, details=exc.details) from exc
    except StellwerkError as exc:
        exc.errors = (FieldError(f"jobs.{index}", exc.message),)
        raise


def _refusal(runtime: Runtime, places: Places) -> Conflict | None:
    with runtime.sessions() as session:
        return _taken(session, places)


def _taken(session: Session, places: Places) -> Conflict | None:
    """Name the entries whose keys unfinished jobs hold; None where there are none."""
    held = holders(session, places)
    errors = [
        FieldError(_place(places[key][0], key), f"Job {held[key]} has the key {key.value!r}.")
        for key in sorted(held, key=lambda key: places[key][0])
    ]
    message = "Unfinished jobs have the unique keys of some entries. Nothing was accepted."
    refused = Conflict(message, code=ErrorCode.DUPLICATE_JOB, errors=errors[:MAX_ERRORS])
    return refused if errors else None


def _invalid(errors: Sequence[FieldError]) -> InvalidInput:
    message = f"{len(errors)} field(s) are not valid. Nothing was accepted."
    return InvalidInput(message, errors=errors[:MAX_ERRORS])
