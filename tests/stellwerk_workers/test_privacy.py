"""An erasure leaves nothing of a person, whoever dies during it; an export has all of it."""

import json
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from typing import Any
from uuid import UUID
from zipfile import ZipFile

import pytest
from sqlalchemy import func, select, text, update

from attempts import attempt
from embedded import wait_until
from engine import Engine
from people import add_channel, add_user
from stellwerk.bootstrap import Platform
from stellwerk.calls.model import Call
from stellwerk.clock import new_id, utc_now
from stellwerk.errors import Conflict, ErrorCode, JobFailed
from stellwerk.identity import notices
from stellwerk.identity import sessions as ledger
from stellwerk.identity.model import ApiKey, User, UserSession
from stellwerk.identity.notices import Occasion
from stellwerk.identity.proving import ask
from stellwerk.identity.service import create_admin
from stellwerk.jobs import queue_states
from stellwerk.jobs.control import signal
from stellwerk.jobs.crash_points import CrashPoint
from stellwerk.jobs.idempotency import Once
from stellwerk.jobs.model import Job, JobArtifact, JobLog, QueueState
from stellwerk.jobs.remains import JobCost, JobTombstone
from stellwerk.jobs.sealed_files import sealed_file
from stellwerk.jobs.submission import Submission, submit
from stellwerk.live import keys
from stellwerk.live.sessions import ENDED
from stellwerk.privacy import service
from stellwerk.privacy.model import PrivacyRequest
from stellwerk.privacy.receipts import is_genuine
from stellwerk.schedules.model import Schedule
from stellwerk.studio.model import Video
from stellwerk.webhooks.model import WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookSecret
from stellwerk_workers.reports import Came
from traces import traces

STEPS = ["disable", "cancel", "erase", "traces", "account"]


def somebody(platform: Platform, mark: str) -> int:
    """A person with something in every table, every word of it marked."""
    user_id = add_user(platform, email=f"{mark}@example.com", username=mark, full_name=mark)
    sessions = platform.runtime.sessions
    channel_id = add_channel(platform, user_id, mark)
    job_id = submitted(platform, user_id, mark)
    with sessions.begin() as session:
        session.add(
            ApiKey(id=new_id(), user_id=user_id, name=mark, prefix="swk_", key_hash=token_hex(32))
        )
        ledger.start(session, user_id, utc_now().replace(year=2999))
        session.execute(
            update(Job)
            .where(Job.id == job_id)
            .values(status="completed", result={"m": mark}, finished_at=func.now())
        )
        for row in [*records(job_id, user_id, mark), *receivers(user_id, mark)]:
            session.add(row)
            session.flush()  # they refer to each other
        session.add(
            Video(
                user_id=user_id,
                channel_id=channel_id,
                job_id=job_id,
                topic=mark,
                title=mark,
                language="en",
            )
        )
        session.add(
            Schedule(
                id=new_id(),
                owner_id=user_id,
                name=mark,
                operation="diagnostics.echo",
                payload={"message": mark},
                interval_s=3600,
                starts_at=utc_now(),
                overlap="skip",
                misfire="skip",
            )
        )
        session.add(QueueState(name=f"queue-{user_id}", paused_by=user_id))
    stored(platform, f"{job_id}/1/{mark}.txt", mark)
    stored(platform, f"{job_id}/2/orphan.txt", mark)
    return user_id


def submitted(platform: Platform, user_id: int, mark: str, **fields: Any) -> UUID:
    marks = ("a" * 64,)
    once = Once(user_id, "jobs.submit", mark, marks, 3600)
    values = {"unique_key": mark, "tags": (mark,), "once": once, **fields}
    return submit(
        platform.runtime, Submission("diagnostics.echo", {"message": mark}, user_id, **values)
    )


def records(job_id: UUID, user_id: int, mark: str) -> list[Any]:
    cost = {
        "quantity": 1,
        "unit_price": 3,
        "amount": 3,
        "step": "call",
        "provider": "test",
        "unit": "call",
    }
    artifact = {"content_type": "text/plain", "size_bytes": 2, "sha256": "0" * 64}
    return [
        JobLog(job_id=job_id, attempt=1, level="info", message=mark),
        JobCost(job_id=job_id, attempt=1, sequence=1, owner_id=user_id, **cost),
        JobArtifact(
            job_id=job_id,
            name=f"{mark}.txt",
            attempt=1,
            storage_key=f"{job_id}/1/{mark}.txt",
            **artifact,
        ),
        JobTombstone(job_id=new_id(), owner_id=user_id, storage_keys=[mark]),
        Call(
            id=new_id(),
            job_id=job_id,
            user_id=user_id,
            provider="freeswitch",
            provider_ref=mark,
            to_number=mark,
            ring_timeout_s=60,
            max_duration_s=60,
            state="completed",
        ),
    ]


def receivers(user_id: int, mark: str) -> list[Any]:
    endpoint, delivery = new_id(), new_id()
    return [
        WebhookEndpoint(id=endpoint, owner_id=user_id, url=f"https://{mark}.example.com"),
        WebhookSecret(owner_id=user_id, endpoint_id=endpoint, sealed=b"sealed"),
        WebhookDelivery(
            id=delivery,
            owner_id=user_id,
            endpoint_id=endpoint,
            event_type="ping",
            body=mark,
            status="delivered",
            job_id=new_id(),
        ),
        WebhookAttempt(delivery_id=delivery, duration_ms=1, error=mark),
    ]


def stored(platform: Platform, key: str, content: str) -> None:
    path = platform.settings.artifacts_path / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def request_of(platform: Platform, request_id: UUID) -> PrivacyRequest:
    with platform.runtime.sessions() as session:
        return session.get_one(PrivacyRequest, request_id)


def ended(platform: Platform, request_id: UUID, *, within_s: float = 60) -> PrivacyRequest:
    wait_until(lambda: request_of(platform, request_id).finished_at, timeout_s=within_s)
    return request_of(platform, request_id)


@pytest.fixture
def mark() -> str:
    return f"mark{token_hex(8)}"


def letters(platform: Platform) -> int:
    """Jobs that write to people, and have."""
    query = select(func.count()).where(
        Job.operation.in_([notices.NOTIFY, notices.SEND]), Job.status == "completed"
    )
    with platform.runtime.sessions() as session:
        return session.scalar(query) or 0


def children(platform: Platform, job_id: UUID) -> int:
    """How many it has."""
    query = select(func.count()).where(Job.parent_id == job_id)
    with platform.runtime.sessions() as session:
        return session.scalar(query) or 0


def test_nothing_of_a_person_is_left(platform: Platform, engine: Engine, mark: str) -> None:
    user_id = somebody(platform, mark)
    other = somebody(platform, "other")
    runtime = platform.runtime
    live = [
        submitted(platform, user_id, f"{mark}-echo"),
        submit(runtime, Submission("diagnostics.sleep", {"seconds": 60, "steps": 60}, user_id)),
        submit(runtime, Submission("diagnostics.wait", {"signal": mark}, user_id)),
        submit(runtime, Submission("diagnostics.fan_out", {"wait_ms": 500}, user_id)),
    ]
    running = "running"
    wait_until(lambda: job(platform, live[1]).status == running)
    theirs = submit(runtime, Submission("diagnostics.wait", {"signal": "go"}, other))
    wait_until(lambda: job(platform, theirs).status == "waiting")
    signal(runtime, theirs, "later", sender_id=user_id)
    ask(runtime, Occasion.FORGOTTEN, f"{mark}@example.com".upper(), "en")
    ask(runtime, Occasion.FORGOTTEN, "other@example.com", "en")
    wait_until(lambda: letters(platform) == 4)
    wait_until(lambda: children(platform, live[3]) == 3)
    assert traces(platform, mark, engine.folder)

    made = service.request_erasure(runtime, user_id)
    done = ended(platform, made.request.id)

    assert (done.status, done.user_id) == ("completed", None), job(platform, done.job_id).error
    assert traces(platform, mark, engine.folder) == []
    assert rows_that_name(platform, user_id) == []
    assert letters(platform) == 2
    receipt = done.receipt or {}
    assert receipt["erased"]["jobs"]["jobs"] == 10
    assert receipt["erased"]["jobs"]["files"] == 2
    assert receipt["erased"]["identity"]["profile"] == 1
    kept = [(line["kind"], line["number"]) for line in receipt["kept"]]
    assert kept == [("entries", 1), ("calls", 1), ("cost_lines", 1)]
    assert is_genuine(receipt, runtime.vault)
    assert not is_genuine({**receipt, "kept": []}, runtime.vault)
    assert traces(platform, "other")
    assert job(platform, theirs).status == "waiting"


def test_copies_of_sessions_and_keys_end_before_their_rows_are_gone(
    platform: Platform, engine: Engine, mark: str
) -> None:
    user_id = somebody(platform, mark)
    with platform.runtime.sessions() as session:
        session_id = session.scalars(select(UserSession.id)).one()
    platform.live_client.redis.set(keys.session(session_id), b'[1,"user"]')

    done = ended(platform, service.request_erasure(platform.runtime, user_id).request.id)

    assert done.status == "completed", engine
    assert platform.live_client.redis.get(keys.session(session_id)) == ENDED


@pytest.mark.timeout(240)
def test_an_erasure_goes_on_where_its_worker_was_killed(platform: Platform, engine: Engine) -> None:
    """Five side by side, each of which has its worker die before another step."""
    runtime, folder = platform.runtime, platform.settings.crash_folder
    assert folder
    marks = {step: f"mark{token_hex(8)}" for step in STEPS}
    people = {step: somebody(platform, mark) for step, mark in marks.items()}
    queue_states.pause(runtime, "long", None)
    made = {step: service.request_erasure(runtime, people[step]).request for step in STEPS}
    points = [folder / f"{CrashPoint.BETWEEN_STEPS}~{step}.{made[step].job_id}" for step in STEPS]
    for point in points:
        point.touch()
    queue_states.resume(runtime, "long", None)

    for step in STEPS:
        done = ended(platform, made[step].id, within_s=120)
        assert done.status == "completed", engine
        assert traces(platform, marks[step]) == []
        assert (done.receipt or {})["erased"]["jobs"]["jobs"] == 1
        assert (done.receipt or {})["erased"]["studio"] == {"videos": 1, "channels": 1}
    assert not [point for point in points if point.exists()]


def test_an_erasure_that_was_taken_back_erases_nothing(platform: Platform, mark: str) -> None:
    user_id = somebody(platform, mark)
    runtime = with_grace(platform)
    made = service.request_erasure(runtime, user_id).request
    assert job(platform, made.job_id).run_at == made.due_at

    service.withdraw(runtime, user_id, made.id)

    assert request_of(platform, made.id).status == "cancelled"
    assert job(platform, made.job_id).status == "cancelled"
    with platform.runtime.sessions.begin() as session, pytest.raises(JobFailed) as refused:
        service.begin(session, made.id)
    assert refused.value.code == ErrorCode.JOB_CANCELLED
    with platform.runtime.sessions() as session:
        assert session.get_one(User, user_id).is_active


def test_one_erasure_at_a_time_and_never_of_the_last_administrator(platform: Platform) -> None:
    runtime = with_grace(platform)
    user_id = add_user(platform)
    service.request_erasure(runtime, user_id)
    with pytest.raises(Conflict):
        service.request_erasure(runtime, user_id)
    admin = create_admin(runtime.sessions, "root@example.com", "correct horse battery staple")
    with pytest.raises(Conflict, match="last administrator"):
        service.request_erasure(runtime, admin)
    second = create_admin(runtime.sessions, "second@example.com", "correct horse battery staple")
    service.request_erasure(runtime, admin)
    with pytest.raises(Conflict, match="last administrator"):
        service.request_erasure(runtime, second)


def test_who_has_become_the_last_administrator_meanwhile_stays(
    platform: Platform, engine: Engine
) -> None:
    admin, second = (
        create_admin(
            platform.runtime.sessions, f"{name}@example.com", "correct horse battery staple"
        )
        for name in ("root", "second")
    )
    made = service.request_erasure(with_grace(platform), admin).request
    with platform.runtime.sessions.begin() as session:
        session.get_one(User, second).is_active = False
        session.get_one(Job, made.job_id).run_at = utc_now()

    assert ended(platform, made.id).status == "failed", engine
    with platform.runtime.sessions() as session:
        assert session.get_one(User, admin).is_active


def test_accounts_that_nobody_verified_or_used_are_erased_when_they_are_old(
    platform: Platform,
) -> None:
    year_ago = utc_now().replace(year=2020)
    unused = add_user(platform, created_at=year_ago)
    add_user(platform, created_at=year_ago, email_verified_at=year_ago)
    used = add_user(platform, created_at=year_ago)
    submit(platform.runtime, Submission("diagnostics.echo", {}, used))
    add_channel(platform, add_user(platform, created_at=year_ago))
    add_user(platform, created_at=year_ago, last_signed_in_at=utc_now())
    add_user(platform)
    settings = platform.settings.model_copy(update={"unverified_account_days": 30})

    runtime = replace(platform.runtime, settings=settings)
    for number in (1, 0):
        job_id = submit(runtime, Submission("housekeeping.purge", {}, None))
        assert attempt(runtime, job_id) is Came.COMPLETED
        result = job(platform, job_id).result or {}
        assert result["removed"]["unused_accounts"] == number
    with platform.runtime.sessions() as session:
        assert session.scalars(select(PrivacyRequest.user_id)).all() == [unused]


def test_an_export_holds_everything_but_secrets(
    platform: Platform, engine: Engine, mark: str, tmp_path: Path
) -> None:
    user_id = somebody(platform, mark)
    made = service.request_export(platform.runtime, user_id)

    done = ended(platform, made.id)

    assert done.status == "completed", engine
    path = tmp_path / service.FILE
    with platform.runtime.sessions() as session:
        row = session.get_one(JobArtifact, (done.job_id, service.FILE))
    stored = sealed_file(platform.runtime.vault, row)
    assert stored is not None
    stored.get(platform.artifacts, path)
    with ZipFile(path) as archive:
        files = {name: json.loads(archive.read(name)) for name in archive.namelist()}
    assert files["identity/profile.json"][0]["email"] == f"{mark}@example.com"
    assert files["studio/videos.json"][0]["topic"] == mark
    assert files["calls/calls.json"][0]["to_number"] == mark
    assert files["webhooks/deliveries.json"][0]["body"] == mark
    assert {row["operation"] for row in files["jobs/jobs.json"]} == {
        "diagnostics.echo",
        service.EXPORT,
    }
    rows = [row for name, found in files.items() if "/" in name for row in found]
    assert files["manifest.json"]["rows"]["jobs/logs.json"] == len(files["jobs/logs.json"])
    secret = {"password_hash", "key_hash", "sealed", "receipt_hash"}
    assert not any(secret & row.keys() for row in rows)


def job(platform: Platform, job_id: UUID | None) -> Job:
    with platform.runtime.sessions() as session:
        return session.get_one(Job, job_id)


def with_grace(platform: Platform) -> Any:
    settings = platform.settings.model_copy(update={"erasure_grace_h": 24.0})
    return replace(platform.runtime, settings=settings)


def rows_that_name(platform: Platform, user_id: int) -> list[str]:
    """Columns that still hold the person's id."""
    with platform.engine.connect() as connection:
        named = connection.execute(_NAMING).all()
        return [
            f"{table}.{column}"
            for table, column in named
            if user_id in connection.scalars(text(f"SELECT {column} FROM {table}")).all()  # noqa: S608  of our own tables
        ]


_NAMING = text("""
    SELECT table_name, column_name FROM information_schema.columns
    WHERE table_schema = 'public' AND data_type = 'integer'
        AND (column_name ~ '(owner|user|sender|subject|actor)_id$' OR column_name ~ '_by$'
            OR (table_name = 'users' AND column_name = 'id'))
""")
