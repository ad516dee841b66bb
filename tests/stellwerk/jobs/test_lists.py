"""Lists at a size at which a plan that reads everything would show."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, create_engine, text

from embedded import fresh_database
from people import add_user
from stellwerk.bootstrap import Platform
from stellwerk.clock import lowest_id_since, new_id
from stellwerk.db.migrate import upgrade
from stellwerk.jobs import queries
from stellwerk.jobs.lists import JobFilter, ids_of_page
from stellwerk.jobs.model import Job
from stellwerk.jobs.requeue import PAGE as PAGE_TO_QUEUE
from stellwerk.jobs.requeue import EndedJobs
from stellwerk.jobs.states import PublicStatus
from stellwerk.settings import load_settings
from stellwerk_api.metrics import UNFINISHED

FINISHED = 200_000
WAITING = 20_000  # all of them older than what is finished: the newest rows are not theirs
BIG, SMALL = 1, 2  # owners
PAGE = 51

# Where two filters meet, the rows of the rarer one may have to be read: 5,000 at the most.
EXAMINED_MAX = 6_000

_PEOPLE = text("""
    INSERT INTO users (email, username, password_hash)
    SELECT 'u' || n || '@example.com', 'u' || n, '!' FROM generate_series(1, 100) n
""")
_ID = """(lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7000'
    || '8000' || lpad(to_hex(n), 12, '0'))::uuid"""
_FINISHED = """
    INSERT INTO jobs (id, operation, operation_version, owner_id, queue, payload, status,
        max_attempts, attempt, error, tags, created_at, run_at, started_at, finished_at)
    SELECT %(id)s,
        CASE WHEN n <= 500 THEN 'old.one' WHEN n %% 50 = 0 THEN 'rare.one' ELSE 'usual.one' END,
        1, CASE WHEN n %% 10 = 0 THEN 2 + n / 10 %% 99 ELSE 1 END, 'short', '{}',
        CASE WHEN n %% 20 = 7 THEN 'failed' WHEN n %% 200 = 8 THEN 'cancelled' ELSE 'completed' END,
        5, 1, CASE WHEN n %% 20 = 7 THEN jsonb_build_object('retryable', n <= 2000,
            'code', CASE WHEN n <= 2000 THEN 'OLD' ELSE 'USUAL' END) END,
        CASE WHEN n <= 100 THEN '{old}'::varchar[] WHEN n %% 40 = 7
            THEN '{usual}'::varchar[] ELSE '{}'::varchar[] END, at, at, at, at
    FROM (SELECT n, now() - (:finished - n) * interval '1 second' AS at
          FROM generate_series(1, :finished) n) made
"""
_UNFINISHED = """
    INSERT INTO jobs (id, operation, operation_version, owner_id, queue, payload, status,
        max_attempts, attempt, created_at, run_at, ending)
    SELECT %(id)s, 'usual.one', 1, CASE WHEN n %% 10 = 0 THEN 2 + n / 10 %% 99 ELSE 1 END,
        'short', '{}',
        CASE n %% 1000 WHEN 1 THEN 'waiting' WHEN 2 THEN 'running' ELSE 'queued' END, 5,
        CASE WHEN n %% 2000 = 3 THEN 1 ELSE 0 END, at,
        CASE WHEN n %% 1000 = 3 THEN now() + interval '1 day' ELSE at END,
        CASE WHEN n %% 1000 = 4 THEN '{}'::jsonb END
    FROM (SELECT n, now() - interval '30 days' - (:waiting - n) * interval '1 second' AS at
          FROM generate_series(1, :waiting) n) made
"""


_CHILDREN = text("""
    UPDATE jobs SET parent_id = :parent, parent_step = '', parent_key = id::text
    WHERE id IN (SELECT id FROM jobs WHERE status = 'completed' ORDER BY id LIMIT 1000)
""")


together = pytest.mark.xdist_group("big_ledger")  # which takes seconds to make


@pytest.fixture(scope="module")
def big_ledger(postgres_server: str) -> Iterator[Connection]:
    with fresh_database(postgres_server) as given:
        url = load_settings(database_url=given).database()
        upgrade(url)
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(_PEOPLE)
            connection.execute(text(_FINISHED % {"id": _ID}), {"finished": FINISHED})
            connection.execute(text(_UNFINISHED % {"id": _ID}), {"waiting": WAITING})
            parent = text("SELECT id FROM jobs ORDER BY id DESC LIMIT 1")
            connection.execute(_CHILDREN, {"parent": connection.scalar(parent)})
            connection.execute(text("VACUUM ANALYZE jobs"))
            yield connection
        engine.dispose()


def filters(parent_id: UUID) -> Iterator[JobFilter]:
    now = datetime.now(UTC)
    half_way, deep = (lowest_id_since(now - timedelta(hours=hours)) for hours in (28, 50))
    longest_ago, long_ago = now - timedelta(days=31), now - timedelta(days=29)
    yesterday, hour = now - timedelta(days=1), timedelta(hours=1)
    narrowed: list[dict[str, Any]] = [
        {},
        {"operation": "usual.one"},
        {"operation": "rare.one"},
        {"operation": "old.one"},
        {"operation": "absent.one"},
        {"left_out": ["rare.one"]},
        {"tag": "usual"},
        {"tag": "old"},
        {"tag": "absent"},
        {"created_from": yesterday},
        {"created_from": yesterday, "created_to": yesterday + hour},
        {"created_to": long_ago},
        {"created_from": longest_ago, "created_to": long_ago},
        {"error_code": "OLD"},
        {"error_code": "USUAL", "after": deep},
        {"error_code": "ABSENT"},
        {"only_dead": True},
        {"only_dead": True, "operation": "absent.one"},
        {"parent_id": parent_id},
        {"parent_id": parent_id, "after": deep},
        {"after": half_way},
        {"after": deep},
        {"after": deep, "operation": "rare.one"},
        {"after": deep, "tag": "usual"},
        {"after": deep, "only_dead": True},
    ]
    several = [
        (PublicStatus.SCHEDULED, PublicStatus.QUEUED, PublicStatus.RUNNING),
        (PublicStatus.FAILED, PublicStatus.CANCELLED),
    ]
    statuses = [(), *((status,) for status in PublicStatus), *several]
    for owner_id, states, more in product((None, BIG, SMALL), statuses, narrowed):
        yield JobFilter(owner_id=owner_id, statuses=states, limit=PAGE, **more)


@together
def test_no_list_reads_much_more_than_it_shows(big_ledger: Connection) -> None:
    (parent_id,) = big_ledger.scalars(text("SELECT max(parent_id::text)::uuid FROM jobs"))
    for wanted in filters(parent_id):
        sql, values = ids_of_page(wanted)
        # What is completed has no index of its own: it is found between the others.
        is_walk = PublicStatus.COMPLETED in wanted.statuses and wanted.created_to
        most = WAITING + EXAMINED_MAX if is_walk else EXAMINED_MAX
        scans = list(scans_of(big_ledger, sql, values))
        assert all(scan["Node Type"] != "Seq Scan" for scan in scans), wanted
        assert sum(map(examined, scans)) <= most, wanted


@together
def test_a_page_to_queue_again_reads_failed_jobs_alone(big_ledger: Connection) -> None:
    failed = big_ledger.scalar(text("SELECT count(*) FROM jobs WHERE status = 'failed'"))
    yesterday = datetime.now(UTC) - timedelta(days=1)
    narrowed: list[dict[str, Any]] = [
        {},
        {"operation": "rare.one"},
        {"error_code": "ABSENT"},
        {"owner_id": SMALL},
        {"queue": "long"},
        {"ended_from": yesterday},
        {"ended_to": yesterday},
        {"tags": ("usual",)},
        {"only_dead": True},
        {"after": lowest_id_since(yesterday)},
    ]
    for more in narrowed:
        scans = list(scans_of(big_ledger, PAGE_TO_QUEUE, EndedJobs(**more).values()))
        assert all(scan["Node Type"] != "Seq Scan" for scan in scans), more
        assert sum(map(examined, scans)) <= failed + EXAMINED_MAX, more


@together
def test_the_test_of_plans_can_fail(big_ledger: Connection) -> None:
    sql, values = ids_of_page(JobFilter(operation="old.one", limit=PAGE))
    without_index = sql.replace("j.operation =", "j.operation || '' =")
    scans = list(scans_of(big_ledger, without_index, values))
    assert sum(map(examined, scans)) > 10 * EXAMINED_MAX


@together
def test_metrics_count_the_unfinished_without_reading_their_rows(big_ledger: Connection) -> None:
    pages = big_ledger.scalar(text("SELECT relpages FROM pg_class WHERE relname = 'jobs'"))
    scans = list(scans_of(big_ledger, UNFINISHED.text, {}))
    read = sum(scan["Shared Hit Blocks"] + scan["Shared Read Blocks"] for scan in scans)
    assert all(scan["Node Type"] != "Seq Scan" for scan in scans)
    assert read < pages * WAITING / FINISHED / 2, "less than half of their share"


def scans_of(connection: Connection, sql: str, values: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The parts of a plan, once executed, that read rows."""
    explain = text(f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {sql}")
    plan = connection.execute(explain, values).scalar_one()[0]["Plan"]
    return (node for node in walk(plan) if "Relation Name" in node)


def examined(scan: dict[str, Any]) -> float:
    """How many rows it read."""
    removed: float = scan.get("Rows Removed by Filter", 0)
    each: float = scan["Actual Rows"] + removed
    return each * float(scan["Actual Loops"])


def walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for inner in node.get("Plans", ()):
        yield from walk(inner)


def add_job(platform: Platform, owner_id: int, **fields: Any) -> UUID:
    values = {"operation": "diagnostics.echo", "queue": "short", "payload": {}, **fields}
    job = Job(id=new_id(), owner_id=owner_id, operation_version=1, max_attempts=5, **values)
    with platform.runtime.sessions.begin() as session:
        session.add(job)
    return job.id


def ids(platform: Platform, wanted: JobFilter) -> list[UUID]:
    with platform.runtime.sessions() as session:
        found = queries.documents(session, platform.runtime.registry, wanted)
    return [UUID(document["job_id"]) for document in found]


def test_each_state_that_is_shown_is_found_under_its_name(platform: Platform) -> None:
    owner_id = add_user(platform)
    later, ended = datetime.now(UTC) + timedelta(hours=1), {"finished_at": datetime.now(UTC)}
    rolling_back = {"ending": {"status": "failed", "error": {}}}
    made = [
        add_job(platform, owner_id),
        add_job(platform, owner_id, run_at=later),
        add_job(platform, owner_id, run_at=later, attempt=1),
        add_job(platform, owner_id, status="running"),
        add_job(platform, owner_id, attempt=1, **rolling_back),
        add_job(platform, owner_id, attempt=1, run_at=later, **rolling_back),
        add_job(platform, owner_id, status="waiting"),
        add_job(platform, owner_id, status="completed", **ended),
        add_job(platform, owner_id, status="failed", **ended),
        add_job(platform, owner_id, status="cancelled", **ended),
    ]
    with platform.runtime.sessions() as session:
        shown = queries.documents(session, platform.runtime.registry, JobFilter())
    assert [UUID(document["job_id"]) for document in shown] == made[::-1]
    for status in PublicStatus:
        expected = [UUID(one["job_id"]) for one in shown if one["status"] == status]
        assert expected
        assert ids(platform, JobFilter(statuses=[status])) == expected, status
    assert ids(platform, JobFilter(statuses=list(PublicStatus))) == made[::-1]


def test_pages_go_on_while_jobs_come_in_and_end(platform: Platform) -> None:
    owner_id = add_user(platform)
    made = [add_job(platform, owner_id) for _ in range(6)]
    seen: list[UUID] = []
    for _ in range(3):
        after = seen[-1] if seen else None
        seen += ids(platform, JobFilter(owner_id=owner_id, after=after, limit=2))
        add_job(platform, owner_id)
    assert seen == made[::-1]


@pytest.mark.parametrize("apart_s", [-50, 50])
def test_a_span_holds_what_was_made_in_it_by_postgres_clock(
    platform: Platform, apart_s: float
) -> None:
    owner_id = add_user(platform)
    job_id = add_job(platform, owner_id)
    with platform.runtime.sessions.begin() as session:
        job = session.get_one(Job, job_id)
        made_at = job.created_at = job.created_at + timedelta(seconds=apart_s)
    instant = timedelta(milliseconds=1)
    spans = {
        (made_at, made_at + instant): [job_id],
        (made_at - instant, made_at): [],
        (made_at + instant, None): [],
        (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)): [job_id],
    }
    for (since, until), expected in spans.items():
        assert ids(platform, JobFilter(created_from=since, created_to=until)) == expected
