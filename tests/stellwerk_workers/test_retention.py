"""Jobs that ended long ago are removed, with their files; tombstones and cost lines stay."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, text, update

from attempts import attempt
from people import add_channel, add_user
from stellwerk.bootstrap import Platform
from stellwerk.clock import lowest_id_since, utc_now
from stellwerk.errors import Gone, NotFound, ProviderUnavailable
from stellwerk.jobs import purging, queries
from stellwerk.jobs.model import Job, JobArtifact, JobLog, JobStep
from stellwerk.jobs.remains import JobCost, JobTombstone
from stellwerk.jobs.submission import Submission, submit
from stellwerk.privacy.model import PrivacyRequest
from stellwerk.studio.model import Video
from stellwerk_workers.housekeeping import purge
from stellwerk_workers.reports import Came
from trial import trial

DAY = timedelta(days=1)


def test_failures_are_kept_longer_than_the_rest(platform: Platform) -> None:
    completed = {days: ended(platform, "completed", days) for days in (29, 31)}
    cancelled = {days: ended(platform, "cancelled", days) for days in (29, 31)}
    failed = {days: ended(platform, "failed", days) for days in (31, 89, 91)}

    assert purged(platform)["jobs"] == 3
    assert gone(platform) == {completed[31], cancelled[31], failed[91]}
    assert purged(platform)["jobs"] == 0


def test_a_job_that_ended_lately_stays_however_old_it_is(platform: Platform) -> None:
    job_id = ended(platform, "completed", 400)
    with platform.runtime.sessions.begin() as session:
        session.execute(update(Job).where(Job.id == job_id).values(finished_at=func.now()))
    waiting = ended(platform, "completed", 400)
    with platform.runtime.sessions.begin() as session:
        values = {"status": "waiting", "finished_at": None}
        session.execute(update(Job).where(Job.id == waiting).values(**values))

    assert purged(platform)["jobs"] == 0


def test_everything_of_a_job_goes_but_its_tombstone_and_its_costs(platform: Platform) -> None:
    job_id = ended(platform, "completed", 31)
    owner = add_user(platform)
    key = f"{job_id}/1/report.txt"
    stored(platform, key)
    with platform.runtime.sessions.begin() as session:
        session.add_all([*records(job_id, owner), artifact(job_id, key)])

    removed = purged(platform)

    assert (removed["jobs"], removed["files"]) == (1, 1)
    with platform.runtime.sessions() as session:
        assert session.scalar(select(func.sum(JobCost.amount))) == Decimal(3)
        for column in (JobStep.job_id, JobLog.job_id, JobArtifact.job_id):
            assert session.scalar(select(func.count()).where(column == job_id)) == 0
        with pytest.raises(Gone):
            queries.change(session, platform.runtime.registry, job_id)
    assert not (platform.settings.artifacts_path / key).exists()


def test_files_that_a_run_left_behind_are_removed_by_the_next(platform: Platform) -> None:
    job_id = ended(platform, "completed", 31)
    key = f"{job_id}/1/report.txt"
    stored(platform, key)
    with platform.runtime.sessions.begin() as session:
        session.add(artifact(job_id, key))

    assert purged(with_store(platform, BrokenStore())) == {}
    assert gone(platform) == {job_id}
    assert (platform.settings.artifacts_path / key).exists()

    assert purged(platform)["files"] == 1
    assert not (platform.settings.artifacts_path / key).exists()
    assert purged(platform)["files"] == 0


@pytest.mark.parametrize(("status", "attempt"), [("completed", 2), ("failed", 1)])
def test_files_that_no_attempt_got_to_name_are_removed_as_well(
    platform: Platform, status: str, attempt: int
) -> None:
    job_id = ended(platform, status, 91, attempt=attempt)
    key = f"{job_id}/1/half_done.mp4"
    stored(platform, key)

    assert purged(platform)["files"] == 1
    assert not (platform.settings.artifacts_path / key).exists()


def test_a_store_that_is_away_keeps_no_other_kind_from_being_removed(platform: Platform) -> None:
    ended(platform, "failed", 91, attempt=1)
    unused = add_user(platform, created_at=utc_now() - 400 * DAY)

    broken = with_store(platform, BrokenStore()).runtime
    settings = platform.settings.model_copy(update={"unverified_account_days": 30})
    job_id = submit(broken, Submission("housekeeping.purge", {}, None))

    assert attempt(replace(broken, settings=settings), job_id) is Came.AGAIN

    with platform.runtime.sessions() as session:
        assert session.scalars(select(PrivacyRequest.user_id)).all() == [unused]


def test_a_video_keeps_the_job_whose_files_it_is_made_of(platform: Platform) -> None:
    owner = add_user(platform)
    job_id = ended(platform, "completed", 400)
    channel_id = add_channel(platform, owner)
    with platform.runtime.sessions.begin() as session:
        session.add(video(owner, channel_id, job_id))

    assert purged(platform)["jobs"] == 0
    with platform.runtime.sessions.begin() as session:
        session.execute(text("DELETE FROM videos"))
    assert purged(platform)["jobs"] == 1


def test_a_child_stays_while_its_parent_lives_and_a_parent_may_go_first(
    platform: Platform,
) -> None:
    parents = [ended(platform, "completed", 100) for _ in range(2)]
    children = [ended(platform, "completed", 99, parent_id=parent) for parent in parents]
    late = ended(platform, "completed", 1, parent_id=parents[1])
    with platform.runtime.sessions.begin() as session:
        values = {"status": "waiting", "finished_at": None}
        session.execute(update(Job).where(Job.id == parents[0]).values(**values))

    purged(platform)

    assert gone(platform) == {parents[1], children[1]}
    with platform.runtime.sessions() as session:
        assert session.get_one(Job, late).parent_id is None


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_what_a_job_that_may_be_retried_has_done_already_stays_with_it(
    platform: Platform, status: str
) -> None:
    kept = ended(platform, status, {"failed": 89, "cancelled": 29}[status])
    ended(platform, "completed", 100, parent_id=kept)
    old = ended(platform, status, 100)
    child = ended(platform, "completed", 100, parent_id=old)

    purged(platform)
    purged(platform)
    assert gone(platform) == {old, child}


def test_tombstones_go_after_a_year(platform: Platform) -> None:
    old, young = uuid4(), uuid4()
    with platform.runtime.sessions.begin() as session:
        for job_id, days in ((old, 366), (young, 364)):
            stone = JobTombstone(job_id=job_id, purged_at=utc_now() - days * DAY)
            session.add(stone)

    assert purged(platform)["tombstones"] == 1
    assert gone(platform) == {young}
    with platform.runtime.sessions() as session, pytest.raises(NotFound):
        queries.change(session, platform.runtime.registry, old)


def test_more_than_a_batch_is_removed_in_one_run(platform: Platform) -> None:
    number = purging.BATCH + 10
    with platform.runtime.sessions.begin() as session:
        session.execute(_MANY, {"number": number})
    assert purged(platform)["jobs"] == number


_MANY = text("""
    INSERT INTO jobs (id, operation, operation_version, queue, payload, max_attempts, status,
        finished_at)
    SELECT lpad(to_hex(n), 32, '0')::uuid, 'diagnostics.echo', 1, 'short', '{}', 5, 'completed',
        now() - interval '1 year'
    FROM generate_series(1, :number) AS n
""")


class BrokenStore:
    """A store that does not answer when something is to be removed."""

    def delete_folder(self, folder: str) -> int:
        raise ProviderUnavailable(f"cannot remove {folder}")


def with_store(platform: Platform, store: Any) -> Platform:
    providers = replace(platform.runtime.providers, artifacts=store)
    return replace(platform, runtime=replace(platform.runtime, providers=providers))


def purged(platform: Platform) -> dict[str, int]:
    """Run the handler as a worker does; what it says it removed, nothing where it failed."""
    with trial(platform, purge) as run:
        job_id = run.submit()
        run.attempt(job_id)
        result = run.row(job_id).result or {}
    return dict(result.get("removed", {}))


def ended(platform: Platform, status: str, days_ago: int, **fields: Any) -> UUID:
    """A job made and ended so long ago."""
    moment = utc_now() - days_ago * DAY
    job_id = UUID(int=lowest_id_since(moment).int + uuid4().int % 2**60)
    values = {"status": status, "finished_at": moment, "created_at": moment, **fields}
    row = Job(
        id=job_id,
        operation="diagnostics.echo",
        operation_version=1,
        queue="short",
        payload={},
        max_attempts=5,
        **values,
    )
    with platform.runtime.sessions.begin() as session:
        session.add(row)
    return job_id


def records(job_id: UUID, owner_id: int) -> list[Any]:
    """A step, a log line and a cost line of a job."""
    cost = {"quantity": Decimal(1), "unit_price": Decimal(3), "amount": Decimal(3)}
    names = {"step": "call", "provider": "test", "unit": "call"}
    return [
        JobStep(job_id=job_id, step="call", state="done", attempt=1),
        JobLog(job_id=job_id, attempt=1, level="info", message="done"),
        JobCost(job_id=job_id, attempt=1, sequence=1, owner_id=owner_id, **names, **cost),
    ]


def artifact(job_id: UUID, key: str) -> JobArtifact:
    return JobArtifact(
        job_id=job_id,
        name="report.txt",
        attempt=1,
        storage_key=key,
        content_type="text/plain",
        size_bytes=2,
        sha256="0" * 64,
    )


def stored(platform: Platform, key: str) -> None:
    """A file in the artifact store."""
    path = platform.settings.artifacts_path / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("hi")


def gone(platform: Platform) -> set[UUID]:
    with platform.runtime.sessions() as session:
        return set(session.scalars(select(JobTombstone.job_id)))


def video(user_id: int, channel_id: int, job_id: UUID) -> Video:
    words = {"topic": "Signals", "title": "Signals", "language": "en"}
    return Video(user_id=user_id, channel_id=channel_id, job_id=job_id, **words)
