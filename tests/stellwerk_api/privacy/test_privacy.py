"""Asking over HTTP for one's data, and for its erasure."""

from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from typing import Any
from uuid import UUID
from zipfile import ZipFile

from sqlalchemy import select, update

from api import PASSWORD, UNKNOWN_ID, ApiUser, error_of, signed_in
from attempts import attempt
from mail_server import OK, mail_server, mailer_for
from mails import mails_to, text_of, token_in
from stellwerk.bootstrap import Platform, registry
from stellwerk.clock import utc_now
from stellwerk.errors import ErrorCode
from stellwerk.identity.model import User
from stellwerk.jobs import queries
from stellwerk.jobs.model import Job, JobArtifact, JobStep
from stellwerk.jobs.sealing import unseal
from stellwerk.jobs.submission import Submission, submit
from stellwerk.privacy.model import PrivacyRequest
from stellwerk_workers.reports import Came

CONFIRMED = {"password": PASSWORD}


def verified(platform: Platform, user: ApiUser) -> str:
    """Their address, which they have proved to read mails at."""
    email = str(user.user["email"])
    with platform.runtime.sessions.begin() as session:
        proved = update(User).where(User.email == email)
        session.execute(proved.values(email_verified_at=utc_now()))
    return email


def carried_out(platform: Platform, request_id: str) -> Came:
    """Let a worker of the test's own process take the request's job."""
    with platform.runtime.sessions() as session:
        job_id = session.get_one(PrivacyRequest, UUID(request_id)).job_id
    assert job_id
    return attempt(platform.runtime, job_id)


def asked(user: ApiUser, what: str) -> dict[str, Any]:
    answer = user.post(f"/privacy/{what}", CONFIRMED)
    assert answer.status_code == 202, answer.text
    return dict(answer.get_json())


def test_an_export_is_downloaded_by_its_owner_alone(
    platform: Platform, ada: ApiUser, bob: ApiUser
) -> None:
    made = asked(ada, "export")
    assert (made["kind"], made["status"], made["download"]) == ("export", "pending", None)

    assert carried_out(platform, made["id"]) is Came.COMPLETED

    done = ada.get(f"/privacy/requests/{made['id']}").get_json()
    assert done["status"] == "completed"
    file = done["download"].removeprefix("/api/v1")
    answer = ada.get(file)
    assert answer.status_code == 200
    with ZipFile(BytesIO(answer.data)) as archive:
        assert ada.user["email"] in archive.read("identity/profile.json").decode()
        assert bob.user["email"] not in archive.read("identity/profile.json").decode()
    error_of(bob.get(file), 404)
    error_of(ada.with_key().get(file), 403)
    assert [one["id"] for one in ada.get("/privacy/requests").get_json()["items"]] == [made["id"]]


def test_an_export_cannot_be_downloaded_for_ever(platform: Platform, ada: ApiUser) -> None:
    made = asked(ada, "export")
    carried_out(platform, made["id"])
    shown = ada.get(f"/privacy/requests/{made['id']}").get_json()
    folder = platform.settings.artifacts_path / shown["download"].split("/")[4]
    assert [path.name for path in folder.rglob("*.zip")] == ["personal-data.zip"]
    with platform.runtime.sessions.begin() as session:
        long_ago = utc_now() - timedelta(days=2000)
        session.execute(update(PrivacyRequest).values(finished_at=long_ago))

    assert purged(platform)["exports"] == 1

    assert ada.get(f"/privacy/requests/{made['id']}").get_json()["download"] is None
    with platform.runtime.sessions() as session:
        assert session.scalars(select(JobArtifact)).all() == []
    assert not folder.exists()
    assert purged(platform)["exports"] == 0


def test_an_erased_account_is_gone_and_its_receipt_is_not(
    platform: Platform, ada: ApiUser, nobody: ApiUser
) -> None:
    key = ada.with_key()
    made = asked(ada, "delete")
    receipt = made["receipt_url"].partition("/api/v1")[2]
    assert nobody.get(receipt).get_json()["status"] == "pending"

    assert carried_out(platform, made["id"]) is Came.COMPLETED

    for user in (ada, key):
        error_of(user.get("/users/me"), 401)
    again = nobody.post("/auth/login", {"email": ada.user["email"], "password": PASSWORD})
    error_of(again, 401)
    shown = nobody.get(receipt).get_json()
    assert (shown["status"], shown["genuine"]) == ("completed", True)
    assert shown["receipt"]["erased"]["identity"]["profile"] == 1
    assert ada.user["email"] not in nobody.get(receipt).text
    error_of(nobody.get("/privacy/receipts/nonsense"), 404)


def test_whose_data_are_ready_is_told_where_they_are(platform: Platform, ada: ApiUser) -> None:
    email = verified(platform, ada)
    answer = ada.post("/privacy/export", CONFIRMED, headers={"Accept-Language": "de"})
    carried_out(platform, answer.get_json()["id"])

    (mail,) = mails_to(platform, email)

    done = ada.get(f"/privacy/requests/{answer.get_json()['id']}").get_json()
    assert mail["Subject"] == "Deine Daten stehen zum Herunterladen bereit"
    assert f"{platform.settings.base_url()}{done['download']}" in text_of(mail)


def test_whoever_is_erased_gets_one_last_mail_and_no_job_keeps_their_address(
    platform: Platform, ada: ApiUser
) -> None:
    email = verified(platform, ada)
    made = asked(ada, "delete")
    assert carried_out(platform, made["id"]) is Came.COMPLETED

    (mail,) = mails_to(platform, email)

    assert mail["Subject"] == "Your account was deleted"
    request = stored(platform, made["id"])
    assert mail["Message-ID"].startswith(f"<{request.job_id}@")
    assert request.address is None
    with platform.runtime.sessions() as session:
        jobs = session.scalars(select(Job.id)).all()
        held = [queries.unsealed(session, registry(), platform.runtime.vault, job) for job in jobs]
        steps = session.scalars(select(JobStep)).all()
        outputs = [unseal(platform.runtime.vault, step.job_id, step.output) for step in steps]
    assert email not in f"{held}{outputs}"


def test_an_address_that_nobody_proved_is_not_written_to(platform: Platform, ada: ApiUser) -> None:
    for what in ("export", "delete"):
        carried_out(platform, asked(ada, what)["id"])
    assert mails_to(platform, str(ada.user["email"])) == []


def test_the_last_mail_waits_for_its_server_and_the_receipt_for_the_mail(
    platform: Platform, ada: ApiUser
) -> None:
    email = verified(platform, ada)
    made = asked(ada, "delete")
    with mail_server(["451 4.7.1 Later", OK]) as server:
        providers = replace(platform.runtime.providers, mail=mailer_for(server))
        runtime = replace(platform.runtime, providers=providers)
        job_id = stored(platform, made["id"]).job_id
        assert job_id
        assert attempt(runtime, job_id) is Came.AGAIN
        assert stored(platform, made["id"]).address
        assert attempt(runtime, job_id) is Came.COMPLETED
    assert [one.recipients for one in server.inbox] == [(email,)]


def test_a_mailbox_that_is_gone_holds_up_no_erasure(platform: Platform, ada: ApiUser) -> None:
    verified(platform, ada)
    made = asked(ada, "delete")
    job_id = stored(platform, made["id"]).job_id
    assert job_id
    with mail_server(["550 5.1.1 Nobody of that name"]) as server:
        providers = replace(platform.runtime.providers, mail=mailer_for(server))
        runtime = replace(platform.runtime, providers=providers)
        assert attempt(runtime, job_id) is Came.COMPLETED
    assert stored(platform, made["id"]).address is None


def stored(platform: Platform, request_id: str) -> PrivacyRequest:
    with platform.runtime.sessions() as session:
        return session.get_one(PrivacyRequest, UUID(request_id))


def test_an_administrator_sees_every_request_and_others_their_own(
    platform: Platform, ada: ApiUser, bob: ApiUser, admin: ApiUser
) -> None:
    made = asked(ada, "delete")
    carried_out(platform, made["id"])
    assert admin.get(f"/privacy/requests/{made['id']}").get_json()["genuine"] is True
    error_of(bob.get(f"/privacy/requests/{made['id']}"), 404)
    error_of(bob.get(f"/privacy/requests/{UNKNOWN_ID}"), 404)


def test_a_token_alone_is_not_enough(ada: ApiUser) -> None:
    for what in ("delete", "export"):
        error = error_of(ada.post(f"/privacy/{what}", {"password": "not Ada's"}), 401)
        assert error["code"] == ErrorCode.INVALID_CREDENTIALS
        error_of(ada.with_key().post(f"/privacy/{what}", CONFIRMED), 403)


def test_whoever_has_no_password_confirms_by_a_link_that_is_theirs_and_good_once(
    platform: Platform, ada: ApiUser, bob: ApiUser, nobody: ApiUser
) -> None:
    assert ada.post("/privacy/confirmation").status_code == 202
    (mail,) = mails_to(platform, str(ada.user["email"]))
    assert nobody.get(f"/privacy/confirmation?token={token_in(mail)}").status_code == 200
    shown = {"token": token_in(mail)}
    assert error_of(bob.post("/privacy/delete", shown), 422)["code"] == ErrorCode.LINK_NOT_VALID
    assert ada.post("/privacy/export", shown).status_code == 202
    assert error_of(ada.post("/privacy/delete", shown), 422)["code"] == ErrorCode.LINK_NOT_VALID


def test_one_proof_is_asked_for(ada: ApiUser) -> None:
    wrong: list[dict[str, Any]] = [{}, CONFIRMED | {"token": "x"}, {"nextcloud": {}}]
    for one in wrong:
        error_of(ada.post("/privacy/delete", one), 422)
    body = {"nextcloud": {"code": "x", "code_verifier": "x" * 43}}
    error_of(ada.post("/privacy/delete", body), 404)  # nobody signs in so here


def test_a_second_request_names_the_first(ada: ApiUser) -> None:
    made = asked(ada, "export")
    error = error_of(ada.post("/privacy/export", CONFIRMED), 409)
    assert error["details"] == {"request_id": made["id"]}


def test_a_request_is_taken_back_before_it_begins(
    platform: Platform, ada: ApiUser, bob: ApiUser
) -> None:
    made = asked(ada, "delete")
    path = f"/privacy/requests/{made['id']}/withdraw"
    error_of(bob.post(path), 404)
    assert ada.post(path).get_json()["status"] == "cancelled"
    error_of(ada.post(path), 409)
    assert signed_in(ada.client, ada.user["email"]).get("/users/me").status_code == 200
    with platform.runtime.sessions() as session:
        assert session.scalars(select(Job.status)).all() == ["cancelled"]


def test_jobs_about_privacy_are_made_by_requests_only(ada: ApiUser, admin: ApiUser) -> None:
    made = asked(ada, "export")
    for request_id in (made["id"], UNKNOWN_ID):
        body = {"operation": "privacy.export", "payload": {"request_id": request_id}}
        error_of(ada.post("/jobs", body), 409 if request_id == made["id"] else 404)
        error_of(ada.post("/jobs", body | {"operation": "privacy.erase"}), 403)
        error_of(admin.post("/jobs", body | {"operation": "privacy.erase"}), 404)


def purged(platform: Platform) -> dict[str, int]:
    job_id = submit(platform.runtime, Submission("housekeeping.purge", {}, None))
    assert attempt(platform.runtime, job_id) is Came.COMPLETED
    with platform.runtime.sessions() as session:
        return dict((session.get_one(Job, job_id).result or {})["removed"])
