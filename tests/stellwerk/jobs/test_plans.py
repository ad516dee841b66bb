"""What every job and every list costs does not depend on how many wait, or are others'.

A backlog comes within a second; statistics of the ledger follow a minute later, and a connection
keeps its plans for days: whatever the planner believes, plans have to do.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import product
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from outbox import Outbox
from people import add_user
from stellwerk.bootstrap import Platform, bootstrap
from stellwerk.diagnostics.operations import ECHO
from stellwerk.jobs import claims, dispatch, outcomes, queries
from stellwerk.jobs.claims import Claim
from stellwerk.jobs.lifecycle import Outcome
from stellwerk.jobs.lists import JobFilter
from stellwerk.jobs.outcomes import Ended
from stellwerk.jobs.ports import Wakeup
from stellwerk.jobs.runtime import Runtime
from stellwerk.jobs.states import JobStatus
from stellwerk.jobs.submission import Submission, submit

BACKLOG = 5_000
HISTORY = 40_000
PLANNED_AFTER = 6  # calls: five may be planned on their own
PAGE = 50
READ_AT_MOST = 300  # rows and entries of indices, by one call

_FILL = text("""
    INSERT INTO jobs (id, operation, operation_version, queue, payload, max_attempts, run_at,
        status, finished_at, published_at)
    SELECT gen_random_uuid(), 'diagnostics.echo', 1, :queue, '{}', 5,
        now() - interval '1 hour' + n * interval '1 ms', :status,
        CASE WHEN :status = 'completed' THEN now() END, CASE WHEN :is_published THEN now() END
    FROM generate_series(1, :number) AS n RETURNING id
""")
# Newer with every call: the first digits of an id are its time.
_HISTORY = text("""
    INSERT INTO jobs (id, operation, operation_version, owner_id, queue, payload, max_attempts,
        status, finished_at, error, tags)
    SELECT (lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1e6)::bigint), 14, '0')
            || '7000800000000000' || lpad(to_hex(n % 256), 2, '0'))::uuid,
        'diagnostics.echo', 1, :owner_id, 'short', '{}', 5,
        :status, CASE WHEN :status <> 'queued' THEN now() END,
        CASE WHEN :status = 'failed' THEN '{"code": "X", "retryable": true}'::jsonb END,
        CASE WHEN :status = 'failed' THEN '{common}' ELSE '{}' END::varchar[]
    FROM generate_series(1, :number) AS n
""")
_READ = text("""
    SELECT (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = 'jobs')
        + (SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'jobs')
""")
_TELL_STATISTICS = text("SELECT pg_stat_force_next_flush()")

# What was in the ledger when Postgres looked last.
BELIEFS: Mapping[str, Mapping[str, Any]] = {
    "nothing": {"number": 0},
    "one waited": {"number": 1},
    "all published": {"number": 2000, "is_published": True},
    "all ended": {"number": 5000, "status": "completed"},
    "others waited": {"number": 300, "queue": "long"},
}


@pytest.fixture
def runtime(platform: Platform) -> Iterator[Runtime]:
    with alone(platform) as made:
        yield made


@contextmanager
def alone(platform: Platform) -> Iterator[Runtime]:
    """One connection, which keeps its plans."""
    made = bootstrap(platform.settings, role="plans", pool_size=1)
    yield replace(made.runtime, publisher=Outbox())
    made.close()


@dataclass(slots=True)
class Work:
    """One job's way through the ledger."""

    runtime: Runtime

    def turn(self) -> None:
        assert dispatch.publish_due(self.runtime, "short")

    def submit(self) -> None:
        submit(self.runtime, Submission(ECHO.name, {}, owner_id=None))

    def claim_and_finish(self, job_id: UUID) -> None:
        wakeup = Wakeup(job_id, 0, ECHO.name, "short")
        claimed = claims.claim(self.runtime, wakeup, "test", uuid4())
        assert claimed
        self.finish(claimed)

    def claim_list_and_finish(self, job_id: UUID) -> None:
        wakeup = Wakeup(job_id, 0, ECHO.name, "short")
        (claimed,) = claims.claim_many(self.runtime, ECHO, [wakeup], "test", uuid4())
        self.finish(claimed)

    def finish(self, claimed: Claim) -> None:
        ended = Ended(claimed, Outcome(JobStatus.COMPLETED, result={}), "completed", 0.1)
        assert outcomes.finish(self.runtime, [ended])


@pytest.mark.parametrize("belief", BELIEFS)
def test_nothing_reads_the_backlog(runtime: Runtime, belief: str) -> None:
    work = Work(runtime)
    fill(runtime, **BELIEFS[belief])
    run(runtime, "ANALYZE jobs", "TRUNCATE jobs CASCADE")
    for _ in range(PLANNED_AFTER):
        first, second, _ = fill(runtime, number=3)
        work.claim_and_finish(first)
        work.claim_list_and_finish(second)
        work.submit()
        work.turn()

    waiting = fill(runtime, number=BACKLOG)
    fill(runtime, number=BACKLOG, queue="long")
    cost = {
        "turn": read_by(runtime, work.turn),
        "submit": read_by(runtime, work.submit),
        "claim": read_by(runtime, lambda: work.claim_and_finish(waiting[-1])),
        "claim in a list": read_by(runtime, lambda: work.claim_list_and_finish(waiting[-2])),
    }

    assert {name: rows for name, rows in cost.items() if rows > READ_AT_MOST} == {}


NARROWED: Sequence[Mapping[str, Any]] = ({"tag": "common"}, {"tag": "absent"}, {"only_dead": True})


def test_a_list_reads_neither_others_jobs_nor_ones_backlog(
    platform: Platform, runtime: Runtime
) -> None:
    own, other = add_user(platform), add_user(platform)
    add_history(runtime, other, HISTORY, status="completed")
    add_history(runtime, own, PAGE, status="failed")
    add_history(runtime, other, BACKLOG, status="failed")
    add_history(runtime, own, BACKLOG, status="queued")
    run(runtime, "ANALYZE jobs")
    for owner_id, narrowed in product((own, None), NARROWED):
        with alone(platform) as unused:
            assert_little_is_read(unused, JobFilter(owner_id=owner_id, limit=PAGE, **narrowed))


def assert_little_is_read(runtime: Runtime, wanted: JobFilter) -> None:
    """The first page, and the one after it."""
    shown = list_of(runtime, wanted)

    assert len(shown) == (0 if wanted.tag == "absent" else PAGE)
    assert read_by(runtime, lambda: list_of(runtime, wanted)) <= READ_AT_MOST
    after = replace(wanted, after=UUID(shown[-2]["job_id"])) if shown else wanted
    assert read_by(runtime, lambda: list_of(runtime, after)) <= READ_AT_MOST
    assert list_of(runtime, after) == shown[-1:] or wanted.owner_id is None


def add_history(runtime: Runtime, owner_id: int, number: int, *, status: str) -> None:
    """Jobs newer than what was there; failed ones are tagged dead letters."""
    values = {"owner_id": owner_id, "number": number, "status": status}
    with runtime.sessions.begin() as session:
        session.execute(_HISTORY, values)


def list_of(runtime: Runtime, wanted: JobFilter) -> list[dict[str, Any]]:
    with runtime.sessions() as session:
        return queries.documents(session, runtime.registry, wanted)


def fill(
    runtime: Runtime,
    *,
    number: int,
    queue: str = "short",
    status: str = "queued",
    is_published: bool = False,
) -> list[UUID]:
    """Jobs that have been there for an hour."""
    values = {"number": number, "queue": queue, "status": status, "is_published": is_published}
    with runtime.sessions.begin() as session:
        return list(session.scalars(_FILL, values))


def run(runtime: Runtime, *statements: str) -> None:
    for statement in statements:
        with runtime.sessions.begin() as session:
            session.execute(text(statement))


def read_by(runtime: Runtime, action: Callable[[], object]) -> int:
    """How many rows and entries of indices it looked at."""
    before = read(runtime)
    action()
    return read(runtime) - before


def read(runtime: Runtime) -> int:
    with runtime.sessions.begin() as session:
        session.execute(_TELL_STATISTICS)
    with runtime.sessions.begin() as session:
        return int(session.scalar(_READ) or 0)
