"""Ending attempts whose only trace is their outcome, in one statement for one or for many.

Where more belongs to the end (costs, artifacts, a rollback, a domain's hook, a parent, children,
somebody who wants to hear of it) `lifecycle.finish` does it in a transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from stellwerk.db.direct import prepared
from stellwerk.db.engine import to_json
from stellwerk.jobs.claims import Claim
from stellwerk.jobs.endings import HEARD
from stellwerk.jobs.lifecycle import Outcome
from stellwerk.jobs.queries import DOCUMENT, change_of
from stellwerk.jobs.runtime import Runtime, announce


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt that came to its end after `ran_s` seconds; `line` goes to the job's log."""

    claimed: Claim
    outcome: Outcome
    line: str
    ran_s: float


# A child that is just being stored holds its parent's row, and changes it: the lock then looks at
# `has_children` anew, which it would not do at the children themselves.
# In the order of ids, as everybody locks; and compared as text where the rows are found already,
# so that no plan joins by walking the table. A first attempt began when its handler did, which in
# a list of jobs is later than its claim.
_FINISH = prepared(
    "stellwerk_finish",
    f"""
    WITH outcome AS (
        SELECT * FROM unnest(:ids, :attempts, :tokens, :statuses, :results, :errors, :lines, :ran)
            AS o (id, attempt, token, status, result, error, line, ran) ORDER BY id),
    due AS (
        SELECT job.id FROM outcome o CROSS JOIN LATERAL (
            SELECT jobs.id FROM jobs
            WHERE jobs.id = o.id AND jobs.attempt = o.attempt AND jobs.lease_token = o.token
                AND jobs.finished_at IS NULL AND jobs.parent_id IS NULL AND NOT {HEARD}
                AND NOT jobs.has_children
            FOR NO KEY UPDATE OF jobs) job),
    ended AS (
        UPDATE jobs SET status = o.status, result = o.result::jsonb, error = o.error::jsonb,
            ending = NULL,
            progress = CASE WHEN o.status = 'completed' THEN 100 ELSE jobs.progress END,
            failures = CASE WHEN jobs.ending IS NULL THEN jobs.failures + (o.status = 'failed')::int
                       ELSE coalesce((jobs.ending ->> 'failures')::int, jobs.failures) END,
            message = coalesce(o.error::jsonb ->> 'message', ''), version = jobs.version + 1,
            started_at = CASE WHEN jobs.attempt = 1 THEN greatest(jobs.started_at, now() - o.ran)
                         ELSE jobs.started_at END,
            finished_at = now(), lease_until = NULL, lease_token = NULL, published_at = NULL,
            reserved_cost = 0
        FROM outcome o
        WHERE jobs.id = ANY(ARRAY(SELECT id FROM due)) AND o.id::text = jobs.id::text
        RETURNING jobs.*),
    logged AS (
        INSERT INTO job_logs (job_id, attempt, level, message)
        SELECT o.id, o.attempt, 'info', o.line FROM ended JOIN outcome o ON o.id = ended.id)
    SELECT {DOCUMENT} FROM ended j
    """,
    ids="uuid[]",
    attempts="int[]",
    tokens="uuid[]",
    statuses="text[]",
    results="text[]",
    errors="text[]",
    lines="text[]",
    ran="interval[]",
)


def finish(runtime: Runtime, endings: Sequence[Ended]) -> set[UUID]:
    """End these attempts and show it; returns the jobs that were ended.

    The others' leases are lost, or more belongs to their ends. Raises TypeError or ValueError
    where a result cannot be stored, and SQLAlchemy's errors.
    """
    rows = runtime.direct.mappings(_FINISH, _values(endings))
    announce(runtime, [change_of(row, runtime.registry) for row in rows], [])
    return {row["id"] for row in rows}


def _values(endings: Sequence[Ended]) -> dict[str, Any]:
    claims = [ended.claimed for ended in endings]
    outcomes = [ended.outcome for ended in endings]
    return {
        "ids": [claimed.job_id for claimed in claims],
        "attempts": [claimed.attempt for claimed in claims],
        "tokens": [claimed.token for claimed in claims],
        "statuses": [outcome.status.value for outcome in outcomes],
        "results": [_json(outcome.result) for outcome in outcomes],
        "errors": [_json(outcome.error) for outcome in outcomes],
        "lines": [ended.line for ended in endings],
        "ran": [timedelta(seconds=ended.ran_s) for ended in endings],
    }


def _json(value: dict[str, Any] | None) -> str | None:
    return None if value is None else to_json(value)
