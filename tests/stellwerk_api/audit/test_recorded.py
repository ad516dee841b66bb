"""What operators do to others' jobs and to queues, and secrets that are made, are on record."""

from typing import Any
from uuid import UUID

from sqlalchemy import text

from api import ApiUser
from stellwerk.bootstrap import Platform
from stellwerk.jobs import control


def recorded(admin: ApiUser, query: str = "") -> list[dict[str, Any]]:
    """Newest first, without what reading the record adds to it."""
    found: list[dict[str, Any]] = admin.get(f"/audit?limit=200&{query}").get_json()["items"]
    return [entry for entry in found if entry["action"] != "audit.read"]


def actions(admin: ApiUser, query: str) -> list[str]:
    return [str(entry["action"]) for entry in recorded(admin, query)]


def test_pausing_and_resuming_a_queue_is_recorded_once(admin: ApiUser) -> None:
    for verb in ("pause", "pause", "resume", "resume"):
        assert admin.post(f"/queues/media/{verb}").status_code == 200
    assert actions(admin, "target=queue:media") == ["queue.resumed", "queue.paused"]
    assert recorded(admin, "target=queue:media")[0]["actor_user_id"] == admin.user["id"]


def test_what_an_operator_does_to_anothers_job_is_recorded(admin: ApiUser, ada: ApiUser) -> None:
    job_id = ada.submit()
    assert admin.post(f"/jobs/{job_id}/signal", {"name": "go"}).status_code == 202
    assert admin.post(f"/jobs/{job_id}/cancel").status_code == 202
    assert admin.post(f"/jobs/{job_id}/retry").status_code == 202
    about = recorded(admin, f"target=job:{job_id}")
    assert [entry["action"] for entry in about] == ["job.retried", "job.cancelled", "job.signalled"]
    assert {entry["subject_user_id"] for entry in about} == {ada.user["id"]}
    assert {entry["actor_user_id"] for entry in about} == {admin.user["id"]}
    assert about[0]["details"] == {"operation": "diagnostics.echo"}


def test_what_one_does_to_ones_own_job_is_not(admin: ApiUser, ada: ApiUser) -> None:
    job_id = ada.submit()
    assert ada.post(f"/jobs/{job_id}/cancel").status_code == 202
    assert ada.get(f"/jobs/{job_id}/logs").status_code == 200
    assert recorded(admin, f"target=job:{job_id}") == []


def test_a_refused_cancel_is_not_recorded(platform: Platform, admin: ApiUser, ada: ApiUser) -> None:
    job_id = ada.submit()
    control.cancel(platform.runtime, UUID(job_id))
    assert admin.post(f"/jobs/{job_id}/cancel").status_code == 409
    assert recorded(admin, f"target=job:{job_id}") == []


def test_reading_anothers_log_and_listing_everybodys_jobs_is_recorded_once_an_hour(
    platform: Platform, admin: ApiUser, ada: ApiUser
) -> None:
    job_id = ada.submit()
    for _ in range(2):
        assert admin.get(f"/jobs/{job_id}/logs").status_code == 200
        assert admin.get("/jobs?all=true").status_code == 200
        assert admin.get("/jobs").status_code == 200
    assert actions(admin, f"target=job:{job_id}") == ["job.read"]
    assert actions(admin, "target=jobs:everybodys") == ["jobs.listed"]
    with platform.engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text("UPDATE audit_entries SET at = at - interval '1 hour'"))
    assert admin.get(f"/jobs/{job_id}/logs").status_code == 200
    assert actions(admin, f"target=job:{job_id}") == ["job.read", "job.read"]


def test_requeueing_is_recorded_with_what_was_asked_for(
    platform: Platform, admin: ApiUser, ada: ApiUser
) -> None:
    job_id = ada.submit()
    control.cancel(platform.runtime, UUID(job_id))
    asked = {"status": "cancelled", "owner_id": ada.user["id"]}
    assert admin.post("/jobs/requeue", {**asked, "dry_run": True}).get_json()["number"] == 1
    assert admin.post("/jobs/requeue", asked).get_json()["number"] == 1
    assert admin.post("/jobs/requeue", asked).get_json()["number"] == 0
    (entry,) = recorded(admin, "action=jobs.requeued")
    assert entry["details"]["job_ids"] == [job_id]
    assert entry["details"]["status"] == "cancelled"
    assert entry["subject_user_id"] == ada.user["id"]


def test_webhook_secrets_are_recorded_but_not_shown(admin: ApiUser, ada: ApiUser) -> None:
    made = ada.post("/webhook-endpoints", {"url": "https://hooks.example.com"}).get_json()
    secret = ada.post(f"/webhook-endpoints/{made['id']}/rotate-secret").get_json()["secret"]
    ada.post("/webhook-endpoints/callback-secret")
    found = recorded(admin, "action=webhook_secret.made")
    target = f"webhook_endpoint:{made['id']}"
    assert [entry["target"] for entry in found] == ["callbacks", target, target]
    assert secret not in str(found)
