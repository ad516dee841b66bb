"""Taking due jobs for one more attempt, in one statement each; what is taken fences its writers."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from stellwerk.db.direct import prepared
from stellwerk.jobs.indices import IS_QUEUED
from stellwerk.jobs.limits import Limits, admit
from stellwerk.jobs.operation import Operation
from stellwerk.jobs.ports import Wakeup
from stellwerk.jobs.queries import DOCUMENT, change_of
from stellwerk.jobs.runtime import Runtime, announce

FENCE = "id = :id AND attempt = :attempt AND lease_token = :token AND finished_at IS NULL"

_TAKE = """
    status = 'running', attempt = jobs.attempt + 1, version = jobs.version + 1,
    lease_token = :token, lease_until = now() + :lease, worker = :worker,
    progress = CASE WHEN jobs.wait_signal IS NULL THEN 0 ELSE jobs.progress END,
    started_at = coalesce(jobs.started_at, now()), published_at = NULL,
    wait_signal = NULL, wait_until = NULL
"""
_IS_FREE = f"""
    {IS_QUEUED} AND jobs.run_at <= now() AND jobs.operation_version <= :known
    AND NOT EXISTS (SELECT 1 FROM queue_states q
                    WHERE q.name = jobs.queue AND q.paused_at IS NOT NULL)
"""
_TYPES = {"token": "uuid", "lease": "interval", "worker": "text", "known": "int"}
_COPIED = (
    "attempt",
    "operation_version",
    "queue",
    "owner_id",
    "payload",
    "failures",
    "max_attempts",
    "version",
    "ending",
    "request_id",
    "trace_context",
    "worker",
    "is_sensitive",
)
_CLAIM_COLUMNS = ", ".join(f"j.{name}" for name in ("id", "lease_token", *_COPIED))
_CLAIM = prepared(
    "stellwerk_claim",
    f"""
    WITH claimed AS (
        UPDATE jobs SET {_TAKE} WHERE id = :id AND attempt = :attempt AND {_IS_FREE} RETURNING *)
    SELECT {_CLAIM_COLUMNS} FROM claimed j
    """,
    id="uuid",
    attempt="int",
    **_TYPES,
)
# In the order of ids, so that two workers with the same jobs never wait for each other in a ring.
_WAKEUPS = """
    (SELECT * FROM unnest(:ids, :attempts) AS one (id, attempt) ORDER BY id) wakeup
"""
_CLAIM_MANY = prepared(
    "stellwerk_claim_many",
    f"""
    WITH free AS (
        SELECT job.id FROM {_WAKEUPS} CROSS JOIN LATERAL (
            SELECT jobs.id FROM jobs
            WHERE jobs.id = wakeup.id AND jobs.attempt = wakeup.attempt AND {_IS_FREE}
            FOR NO KEY UPDATE OF jobs) job),
    claimed AS (
        UPDATE jobs SET {_TAKE} WHERE id = ANY(ARRAY(SELECT id FROM free)) RETURNING jobs.*)
    SELECT {_CLAIM_COLUMNS} FROM claimed j ORDER BY j.id
    """,
    ids="uuid[]",
    attempts="int[]",
    **_TYPES,
)
_CLAIMED = prepared(
    "stellwerk_claimed",
    f"""
    WITH claimed AS (
        UPDATE jobs SET lease_until = now() + :lease
        WHERE id = ANY(:ids) AND lease_token = :token AND finished_at IS NULL RETURNING *)
    SELECT {_CLAIM_COLUMNS} FROM claimed j
    """,
    ids="uuid[]",
    lease="interval",
    token="uuid",  # noqa: S106  a type, and no password
)
_SHOWN = prepared("stellwerk_shown", f"SELECT {DOCUMENT} FROM jobs j WHERE j.id = :id", id="uuid")
# As if it had not been claimed. The attempt's number may be given again: the token never is.
_HAND_BACK = prepared(
    "stellwerk_hand_back",
    f"""
    WITH back AS (
        UPDATE jobs SET status = 'queued', attempt = attempt - 1, version = version + 1,
            lease_until = NULL, lease_token = NULL, published_at = NULL,
            started_at = CASE WHEN attempt > 1 THEN started_at END
        WHERE id = ANY(:ids) AND lease_token = :token AND finished_at IS NULL
            AND cancel_requested_at IS NULL
        RETURNING *)
    SELECT {DOCUMENT} FROM back j
    """,
    ids="uuid[]",
    token="uuid",  # noqa: S106  a type, and no password
)
_CANCELLED = prepared(
    "stellwerk_cancelled",
    """
    SELECT id FROM jobs
    WHERE id = ANY(:ids) AND lease_token = :token AND cancel_requested_at IS NOT NULL
    """,
    ids="uuid[]",
    token="uuid",  # noqa: S106  a type, and no password
)
# Left as published they would count as outstanding, and as busy, until they are published again.
_RELEASE = prepared(
    "stellwerk_release",
    f"""
    WITH left_over AS (
        SELECT job.id FROM {_WAKEUPS} CROSS JOIN LATERAL (
            SELECT jobs.id FROM jobs
            WHERE jobs.id = wakeup.id AND jobs.attempt = wakeup.attempt AND {IS_QUEUED}
                AND (jobs.operation_version > :known OR EXISTS (SELECT 1 FROM queue_states q
                     WHERE q.name = jobs.queue AND q.paused_at IS NOT NULL))
            FOR NO KEY UPDATE OF jobs) job),
    released AS (
        UPDATE jobs SET published_at = NULL,
            version = version + CASE WHEN operation_version > :known THEN 1 ELSE 0 END,
            run_at = CASE WHEN operation_version > :known THEN now() + interval '30 seconds'
                     ELSE run_at END
        WHERE id = ANY(ARRAY(SELECT id FROM left_over)) RETURNING jobs.*)
    SELECT {DOCUMENT} FROM released j WHERE j.operation_version > :known
    """,
    ids="uuid[]",
    attempts="int[]",
    known="int",
)


def _show_nothing() -> None:
    """Of a list's jobs their ends are shown, and those that run for long (lists.py)."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One attempt's right to write: what was claimed, and the token that fences it."""

    job_id: UUID
    attempt: int
    token: UUID
    operation: Operation
    operation_version: int
    queue: str
    owner_id: int | None
    payload: dict[str, Any]
    failures: int
    max_attempts: int
    version: int
    ending: dict[str, Any] | None
    request_id: str | None
    trace_context: dict[str, str] | None
    worker: str
    is_sensitive: bool = False  # what belongs to it is sealed (sealing.py), and so is `payload`
    # The lease counts from here
    asked_at: float = field(default_factory=time.monotonic, compare=False)
    # Shows watchers that it runs; nobody was told by the claim
    show: Callable[[], None] = field(default=_show_nothing, compare=False, repr=False)

    @property
    def fence(self) -> dict[str, Any]:
        """The values every fenced statement compares."""
        return {"id": self.job_id, "attempt": self.attempt, "token": self.token}


def claim(runtime: Runtime, wakeup: Wakeup, worker: str, token: UUID) -> Claim | None:
    """Take the job for one more attempt, fenced by `token`; None where there is nothing to take.

    Duplicates, cancelled, paused and limited jobs give None, and versions newer than this worker's
    code, which are released for others. Paused ones are unpublished: they must not count as busy.
    It is the caller who shows that it runs: a job that ends at once is better shown only then.
    The same token again finds its claim again, so that an answer that was lost can be asked for
    once more.
    """
    operation = runtime.registry.get(wakeup.operation)
    asked_at = time.monotonic()
    values = _values(runtime, operation, worker, token)
    one = {"id": wakeup.job_id, "attempt": wakeup.attempt}
    rows = _take(runtime, operation, wakeup, values | one)
    rows = rows or runtime.direct.mappings(_CLAIMED, values | {"ids": [wakeup.job_id]})
    if not rows:
        release(runtime, [wakeup], known=operation.version)
        return None
    return _of_row(rows[0], operation, asked_at, partial(_show, runtime, wakeup.job_id))


def claim_many(
    runtime: Runtime, operation: Operation, wakeups: Sequence[Wakeup], worker: str, token: UUID
) -> list[Claim]:
    """Take those of an operation's jobs that are free, all fenced by the one token.

    Nobody is told yet: most of them end before anybody could look. Paused ones and those of newer
    versions are released, as `claim` does.
    """
    asked_at = time.monotonic()
    ids = [wakeup.job_id for wakeup in wakeups]
    many = {"ids": ids, "attempts": [wakeup.attempt for wakeup in wakeups]}
    values = _values(runtime, operation, worker, token)
    rows = runtime.direct.mappings(_CLAIM_MANY, values | many)
    rows = rows or runtime.direct.mappings(_CLAIMED, values | {"ids": ids})
    if len(rows) < len(wakeups):
        release(runtime, wakeups, known=operation.version)
    return [_of_row(row, operation, asked_at) for row in rows]


def hand_back(runtime: Runtime, unstarted: Sequence[Claim]) -> set[UUID]:
    """Give back jobs of one token that were not begun, uncounted; returns which were taken back.

    The others were cancelled meanwhile, or are lost.
    """
    values = {"ids": [claimed.job_id for claimed in unstarted], "token": unstarted[0].token}
    rows = runtime.direct.mappings(_HAND_BACK, values)
    announce(runtime, [change_of(row, runtime.registry) for row in rows], [])
    return {row["id"] for row in rows}


def cancelled_of(runtime: Runtime, unstarted: Sequence[Claim]) -> set[UUID]:
    """Those of these jobs of one token that somebody wants to be cancelled."""
    values = {"ids": [claimed.job_id for claimed in unstarted], "token": unstarted[0].token}
    return {job_id for (job_id,) in runtime.direct.rows(_CANCELLED, values)}


def release(runtime: Runtime, wakeups: Sequence[Wakeup], *, known: int = 0) -> None:
    """Leave what is too new, or paused, to others, uncounted.

    `known`: the version of the operation here; 0 where it is not known at all.
    """
    ids = [wakeup.job_id for wakeup in wakeups]
    attempts = [wakeup.attempt for wakeup in wakeups]
    values = {"ids": ids, "attempts": attempts, "known": known}
    put_off = runtime.direct.mappings(_RELEASE, values)
    announce(runtime, [change_of(row, runtime.registry) for row in put_off], [])


def _take(
    runtime: Runtime, operation: Operation, wakeup: Wakeup, values: dict[str, Any]
) -> Sequence[Mapping[str, Any]]:
    """One statement; where limits hold, a transaction in which they are looked at first."""
    if not Limits.of(runtime.settings, operation, wakeup.queue):
        return runtime.direct.mappings(_CLAIM, values)
    with runtime.sessions.begin() as session:
        if not admit(session, runtime.settings, operation, wakeup):
            return []
        return runtime.direct.within(session, _CLAIM, values)


def _values(runtime: Runtime, operation: Operation, worker: str, token: UUID) -> dict[str, Any]:
    return {
        "token": token,
        "lease": timedelta(seconds=runtime.settings.job_lease_s),
        "worker": worker,
        "known": operation.version,
    }


def _show(runtime: Runtime, job_id: UUID) -> None:
    rows = runtime.direct.mappings(_SHOWN, {"id": job_id})
    announce(runtime, [change_of(row, runtime.registry) for row in rows], [])


def _of_row(
    row: Mapping[str, Any],
    operation: Operation,
    asked_at: float,
    show: Callable[[], None] = _show_nothing,
) -> Claim:
    return Claim(
        job_id=row["id"],
        token=row["lease_token"],
        operation=operation,
        asked_at=asked_at,
        show=show,
        **{name: row[name] for name in _COPIED},
    )
