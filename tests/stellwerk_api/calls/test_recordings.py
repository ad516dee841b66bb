"""What the switch recorded becomes an encrypted file of the call's job, and nobody else's."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select, text, update

from api import ApiUser, error_of, signed_in
from attempts import attempt
from calling import call_of, claim, event, hold_trunk, originate, told
from people import add_user
from stellwerk.bootstrap import Platform
from stellwerk.calls import privacy
from stellwerk.calls import recordings as plain
from stellwerk.calls.model import Call
from stellwerk.identity.permissions import Role
from stellwerk.identity.service import create_admin
from stellwerk.jobs.control import cancel
from stellwerk.jobs.model import JobStep
from stellwerk.jobs.runtime import Runtime
from stellwerk.jobs.sealing import seal, unseal
from stellwerk.privacy.model import PrivacyRequest
from stellwerk.privacy.service import request_erasure
from stellwerk.providers.calls.protocol import EventKind
from stellwerk_workers import recordings
from stellwerk_workers.housekeeping import purge
from stellwerk_workers.reports import Came
from trial import trial

E = EventKind
SAID = b"RIFF" + b"what was said in the call " * 10_000


@pytest.fixture
def runtime(platform: Platform, tmp_path: Path) -> Runtime:
    """A worker's, with the folder of the switch."""
    settings = platform.settings.model_copy(update={"call_recordings_mount": tmp_path})
    return replace(platform.runtime, settings=settings)


def recorded(platform: Platform, runtime: Runtime, user_id: int) -> tuple[UUID, Path]:
    """A job whose call was recorded and has ended, and the switch's file."""
    hold_trunk(platform)
    job_id = originate(platform, user_id, record=True)
    assert attempt(runtime, job_id) is Came.AGAIN
    (dial,) = claim(platform)
    assert dial.recording is not None
    path = plain.place(runtime.settings, dial.call_id)
    assert path.name == dial.recording.name
    path.write_bytes(SAID)
    told(platform, event(dial.call_id, E.ANSWERED), event(dial.call_id, E.RECORDED, 60))
    told(platform, event(dial.call_id, E.HUNG_UP, 60, cause="NORMAL_CLEARING"))
    return job_id, path


def stored_files(platform: Platform) -> list[bytes]:
    folder = platform.settings.artifacts_path
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


def test_a_recording_is_kept_encrypted_and_the_plain_file_goes(
    platform: Platform, runtime: Runtime, admin: ApiUser
) -> None:
    job_id, path = recorded(platform, runtime, admin.user["id"])
    assert attempt(runtime, job_id) is Came.COMPLETED

    answer = admin.get(f"/jobs/{job_id}/artifacts/{recordings.NAME}")
    assert (answer.status_code, answer.mimetype) == (200, "audio/wav")
    assert answer.data == SAID
    assert not path.exists()
    assert not any(b"what was said" in content for content in stored_files(platform))


def test_only_its_owner_hears_it_and_only_with_the_right_to_record(
    platform: Platform, runtime: Runtime, admin: ApiUser, ada: ApiUser, client: FlaskClient
) -> None:
    job_id, _ = recorded(platform, runtime, admin.user["id"])
    attempt(runtime, job_id)
    file = f"/jobs/{job_id}/artifacts/{recordings.NAME}"
    assert ada.get(file).status_code == 404
    create_admin(platform.runtime.sessions, "other@example.com", "correct horse battery staple")
    assert error_of(signed_in(client, "other@example.com").get(file), 403)
    with platform.runtime.sessions.begin() as session:
        demoted = text("UPDATE users SET role = :role WHERE id = :id")
        session.execute(demoted, {"role": Role.USER.value, "id": admin.user["id"]})
    assert error_of(signed_in(client, "root@example.com").get(file), 403)


def test_a_recording_that_is_not_there_keeps_no_call_from_completing(
    platform: Platform, runtime: Runtime, admin: ApiUser
) -> None:
    job_id, path = recorded(platform, runtime, admin.user["id"])
    path.unlink()
    assert attempt(runtime, job_id) is Came.COMPLETED
    assert admin.get(f"/jobs/{job_id}/artifacts").get_json()["items"] == []
    logs = admin.get(f"/jobs/{job_id}/logs").text
    assert "there is no recording" in logs


def test_what_no_job_took_goes_after_a_day_or_with_the_account_and_others_files_stay(
    platform: Platform, runtime: Runtime, admin: ApiUser, tmp_path: Path
) -> None:
    late, path = recorded(platform, runtime, admin.user["id"])
    fresh, kept = recorded(platform, runtime, admin.user["id"])
    stranger, note = tmp_path / f"{uuid4()}.wav", tmp_path / "music.wav"
    stranger.touch()
    note.touch()
    with platform.runtime.sessions.begin() as session:
        for job_id, age in ((late, timedelta(days=2)), (fresh, timedelta(hours=1))):
            ended = update(Call).where(Call.id == call_of(platform, job_id).id)
            session.execute(ended.values(ended_at=func.now() - age))

    def swept() -> int:
        with trial(platform, purge, settings=runtime.settings) as run:
            job = run.submit()
            run.attempt(job)
            return int((run.row(job).result or {})["removed"]["recordings"])

    assert swept() == 1
    assert (path.exists(), kept.exists()) == (False, True)
    with platform.runtime.sessions.begin() as session:
        privacy.erase(session, admin.user["id"])
    assert swept() == 1
    assert sorted(tmp_path.glob("*.wav")) == sorted([stranger, note])


def test_what_no_job_will_take_goes_with_the_next_housekeeping(
    platform: Platform, runtime: Runtime, admin: ApiUser
) -> None:
    job_id, path = recorded(platform, runtime, admin.user["id"])
    cancel(runtime, job_id)
    assert path.exists()
    with trial(platform, purge, settings=runtime.settings) as run:
        run.attempt(run.submit())
    assert not path.exists()


def erasure(runtime: Runtime, user_id: int) -> UUID:
    """The job of an erasure that was asked for."""
    job_id = request_erasure(runtime, user_id).request.job_id
    assert job_id is not None
    return job_id


def attempts(runtime: Runtime, job_id: UUID, most: int = 20) -> Came:
    """What so many attempts came to; fewer where one of them ends the job."""
    came = Came.AGAIN
    while most and came is Came.AGAIN:
        came, most = attempt(runtime, job_id), most - 1
    return came


def receipt(platform: Platform) -> dict[str, Any]:
    """Of the erasure that is complete."""
    with platform.runtime.sessions() as session:
        found = session.scalars(select(PrivacyRequest.receipt)).one()
    assert found is not None
    return dict(found)


def test_an_erasure_removes_plain_files_before_its_receipt(
    platform: Platform, runtime: Runtime
) -> None:
    user_id = add_user(platform, role=Role.OPERATOR.value)
    _, path = recorded(platform, runtime, user_id)
    assert attempts(runtime, erasure(runtime, user_id)) is Came.COMPLETED
    assert not path.exists()
    assert "recordings_left" not in {kept["kind"] for kept in receipt(platform)["kept"]}


def test_an_erasure_waits_for_a_recorded_call_under_way_to_hang_up(
    platform: Platform, runtime: Runtime
) -> None:
    user_id = add_user(platform, role=Role.OPERATOR.value)
    hold_trunk(platform)
    job_id = originate(platform, user_id, record=True)
    assert attempt(runtime, job_id) is Came.AGAIN
    (dial,) = claim(platform)
    told(platform, event(dial.call_id, E.ANSWERED))
    path = plain.place(runtime.settings, dial.call_id)
    path.write_bytes(SAID)

    erasing = erasure(runtime, user_id)
    assert attempts(runtime, erasing, most=5) is Came.AGAIN
    assert path.exists()

    told(platform, event(dial.call_id, E.RECORDED, 60))
    told(platform, event(dial.call_id, E.HUNG_UP, 60, cause="NORMAL_CLEARING"))
    assert attempts(runtime, erasing) is Came.COMPLETED
    assert not path.exists()


class TestAFileThatNoWorkerMayDelete:
    """As root nothing is forbidden: a folder in its place cannot be unlinked either."""

    def stuck(self, platform: Platform, runtime: Runtime, user_id: int) -> Path:
        job_id, path = recorded(platform, runtime, user_id)
        cancel(runtime, job_id)
        path.unlink()
        path.mkdir()
        return path

    def test_it_fails_the_housekeeping_with_a_warning_until_it_can_go(
        self,
        platform: Platform,
        runtime: Runtime,
        admin: ApiUser,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        path = self.stuck(platform, runtime, admin.user["id"])
        with trial(platform, purge, settings=runtime.settings) as run:
            job = run.submit()
            run.attempt(job)
            said = str(run.row(job).error)
            assert "Plain recordings could not be removed (1)" in said
            assert str(path.parent) in said
            warned = "".join(capfd.readouterr())
            assert "a recording was not removed" in warned
            assert path.stem in warned
            path.rmdir()
            path.write_bytes(SAID)
            again = run.submit()
            run.attempt(again)
            assert (run.row(again).result or {})["removed"]["recordings"] == 1
        assert not path.exists()

    def test_an_erasure_tries_for_a_while_and_its_receipt_says_that_it_is_left(
        self, platform: Platform, runtime: Runtime
    ) -> None:
        user_id = add_user(platform, role=Role.OPERATOR.value)
        path = self.stuck(platform, runtime, user_id)
        erasing = erasure(runtime, user_id)
        assert attempts(runtime, erasing, most=8) is Came.AGAIN

        with platform.runtime.sessions.begin() as session:
            step = session.get_one(JobStep, (erasing, "account", ""))
            gone_at = datetime.fromisoformat(unseal(runtime.vault, erasing, step.output))
            long_ago = (gone_at - timedelta(minutes=11)).isoformat()
            step.output = seal(runtime.vault, erasing, long_ago)
        assert attempts(runtime, erasing) is Came.COMPLETED

        assert path.exists()
        left = {kept["kind"]: kept for kept in receipt(platform)["kept"]}["recordings_left"]
        assert (left["domain"], left["number"]) == ("calls", 1)
        assert "no worker may delete" in left["reason"]
