from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from api import UNKNOWN_ID, ApiUser, error_of
from attempts import attempt
from mails import mails_to
from stellwerk.bootstrap import Platform
from stellwerk.db.holdings import counted
from stellwerk.jobs.model import Job
from stellwerk.schedules import privacy
from stellwerk.schedules.sealed import SEALED
from stellwerk_workers.reports import Came
from traces import traces

_98_MORE = text("""
    INSERT INTO schedules
    SELECT (jsonb_populate_record(NULL::schedules, to_jsonb(one) || changes)).*
    FROM schedules one, LATERAL (
        SELECT jsonb_build_object('id', gen_random_uuid(), 'name', number::text) AS changes
        FROM generate_series(1, 98) number
    ) further
""")
WEEKLY = {
    "name": "weekly",
    "operation": "diagnostics.echo",
    "cron": "30 7 * * 1",
    "time_zone": "Europe/Zurich",
}


def create(user: ApiUser, **fields: Any) -> dict[str, Any]:
    answer = user.post("/schedules", {**WEEKLY, **fields})
    assert answer.status_code == 201, answer.text
    return dict(answer.get_json())


def test_a_schedule_is_created_read_listed_changed_and_deleted(ada: ApiUser) -> None:
    made = create(ada, payload={"message": "hello"}, tags=["mornings"])
    path = f"/schedules/{made['id']}"
    assert (made["overlap"], made["misfire"], made["paused"]) == ("skip", "skip", False)
    assert made["next_fire_at"] == made["next_fire_times"][0]
    assert len(made["next_fire_times"]) == 5
    assert ada.get(path).get_json() == made
    assert ada.get("/schedules").get_json() == {"items": [made], "next_cursor": None}

    changed = ada.send("PATCH", path, json={"interval_s": 3600, "overlap": "queue"}).get_json()
    assert (changed["cron"], changed["interval_s"], changed["overlap"]) == (None, 3600, "queue")
    first, second = (datetime.fromisoformat(at) for at in changed["next_fire_times"][:2])
    assert (second - first).total_seconds() == 3600

    assert ada.send("DELETE", path).status_code == 204
    assert error_of(ada.get(path), 404)["code"] == "NOT_FOUND"


def test_a_paused_schedule_has_no_next_time_until_it_is_resumed(ada: ApiUser) -> None:
    path = f"/schedules/{create(ada)['id']}"
    paused = ada.post(f"{path}/pause").get_json()
    assert (paused["paused"], paused["next_fire_at"], paused["next_fire_times"]) == (True, None, [])
    patched = ada.send("PATCH", path, json={"cron": "0 8 * * *"}).get_json()
    assert patched["next_fire_at"] is None
    resumed = ada.post(f"{path}/resume").get_json()
    assert resumed["paused"] is False
    assert resumed["next_fire_at"] == resumed["next_fire_times"][0]


def test_run_now_submits_a_job_that_carries_the_schedules_tag(ada: ApiUser) -> None:
    made = create(ada)
    answer = ada.post(f"/schedules/{made['id']}/run")
    assert answer.status_code == 202, answer.text
    job_id = answer.get_json()["job_id"]
    assert ada.get(f"/jobs/{job_id}").get_json()["tags"] == [f"schedule:{made['id']}"]
    (fire,) = ada.get(f"/schedules/{made['id']}/fires").get_json()["items"]
    assert (fire["job_id"], fire["outcome"], fire["by_hand"]) == (job_id, "submitted", True)
    assert ada.get(f"/schedules/{made['id']}").get_json()["last_fire"] == fire


def test_its_jobs_go_to_the_queue_and_call_back_as_the_schedule_says(
    ada: ApiUser, platform: Platform
) -> None:
    wanted = {"queue": "short_low", "callback_url": "https://example.com/ended"}
    error = error_of(ada.post("/schedules", {**WEEKLY, **wanted}), 422)
    assert error["details"]["field"] == "callback_url"
    assert ada.post("/webhook-endpoints/callback-secret").status_code == 200
    made = create(ada, **wanted)
    assert (made["queue"], made["callback_url"]) == tuple(wanted.values())
    path = f"/schedules/{made['id']}"

    def ran() -> tuple[str, str | None]:
        job_id = ada.post(f"{path}/run").get_json()["job_id"]
        with platform.runtime.sessions() as session:
            job = session.get_one(Job, UUID(job_id))
            return job.queue, job.callback_url

    assert ran() == ("short_low", wanted["callback_url"])
    error = error_of(ada.send("PATCH", path, json={"callback_url": "ftp://example.com"}), 422)
    assert error["details"]["field"] == "callback_url"
    assert ada.send("PATCH", path, json={"queue": None, "callback_url": None}).status_code == 200
    assert ran() == ("short", None)


def test_the_times_it_was_due_are_listed_by_pages_newest_first(ada: ApiUser) -> None:
    path = f"/schedules/{create(ada)['id']}"
    ids = [ada.post(f"{path}/run").get_json()["job_id"] for _ in range(3)]
    first = ada.get(f"{path}/fires?limit=2").get_json()
    rest = ada.get(f"{path}/fires?limit=2&cursor={first['next_cursor']}").get_json()
    listed = [fire["job_id"] for fire in first["items"] + rest["items"]]
    assert (listed, rest["next_cursor"]) == (ids[::-1], None)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"cron": "every day"}, "cron"),
        ({"cron": "0 0 * * * *"}, "cron"),
        ({"cron": "61 * * * *"}, "cron"),
        ({"cron": "0 0 30 2 *"}, "cron"),
        ({"cron": None}, "cron"),
        ({"interval_s": 60}, "cron"),
        ({"cron": None, "interval_s": 0}, "interval_s"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"overlap": "sometimes"}, "overlap"),
        ({"misfire": "always"}, "misfire"),
        ({"payload": {"message": 7}}, "payload.message"),
        ({"starts_at": "tomorrow"}, "starts_at"),
        ({"name": ""}, "name"),
        ({"owner_id": 1}, "owner_id"),
        ({"queue": "media"}, "queue"),
        ({"callback_url": "https://user@example.com"}, "callback_url"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused_by_field(
    ada: ApiUser, fields: dict[str, Any], field: str
) -> None:
    error = error_of(ada.post("/schedules", {**WEEKLY, **fields}), 422)
    assert [one["field"] for one in error["details"]["errors"]] == [field]
    assert ada.get("/schedules").get_json()["items"] == []


def test_an_unknown_operation_is_named(ada: ApiUser) -> None:
    error = error_of(ada.post("/schedules", {**WEEKLY, "operation": "no.such"}), 404)
    assert error["code"] == "OPERATION_UNKNOWN"


def test_only_what_one_may_submit_can_be_scheduled(ada: ApiUser) -> None:
    body = {**WEEKLY, "operation": "housekeeping.purge"}
    assert error_of(ada.post("/schedules", body), 403)["code"] == "NOT_PERMITTED"
    key = ada.with_key(scopes=["write", "videos.*"])
    assert error_of(key.post("/schedules", WEEKLY), 403)["code"] == "NOT_PERMITTED"


def test_a_key_for_other_operations_cannot_change_or_run_a_schedule(ada: ApiUser) -> None:
    path = f"/schedules/{create(ada)['id']}"
    key = ada.with_key(scopes=["read", "write", "videos.*"])
    assert key.post(f"{path}/run").status_code == 403
    assert key.send("PATCH", path, json={"name": "mine"}).status_code == 403


def test_a_sensitive_payload_is_kept_sealed_and_seen_by_its_owner_alone(
    platform: Platform, admin: ApiUser
) -> None:
    payload = {"to": ["secret@example.com"], "subject": "Good morning", "text": "It is 7."}
    body = {"name": "mail", "operation": "email.send", "interval_s": 3600, "payload": payload}
    made = admin.post("/schedules", body).get_json()
    path = f"/schedules/{made['id']}"
    assert made["payload"]["to"] == payload["to"]
    assert admin.send("PATCH", path, json={"name": "morning"}).status_code == 200
    assert admin.get(path).get_json()["payload"] == made["payload"]
    (listed,) = admin.get("/schedules").get_json()["items"]
    assert listed["payload"] == {"masked": True}
    assert traces(platform, "secret@") == []
    job_id = admin.post(f"{path}/run").get_json()["job_id"]
    assert attempt(platform.runtime, UUID(job_id)) is Came.COMPLETED
    assert len(mails_to(platform, "secret@example.com")) == 1
    error = error_of(admin.send("PATCH", path, json={"payload": {"to": []}}), 422)
    assert error["details"]["field"].startswith("payload.")


def test_secrets_of_a_module_are_kept_by_no_schedule(admin: ApiUser) -> None:
    payload = {"module_name": "clock", "secrets": {"TOKEN": "open sesame"}}
    body = {"name": "m", "operation": "modules.install", "interval_s": 3600, "payload": payload}
    error = error_of(admin.post("/schedules", body), 422)
    assert error["details"]["field"] == "payload.secrets"
    assert admin.post("/schedules", body | {"payload": {"module_name": "clock"}}).status_code == 201


def test_a_sealed_payload_moves_to_a_new_key_and_into_its_owners_export(
    platform: Platform, admin: ApiUser
) -> None:
    payload = {"to": ["ada@example.com"], "subject": "Good morning", "text": "It is 7."}
    body = {"name": "mail", "operation": "email.send", "interval_s": 3600, "payload": payload}
    admin.post("/schedules", body)
    with platform.runtime.sessions() as session:
        counts = counted(session, platform.runtime.vault, SEALED)
        (row,) = privacy.export(session, int(admin.user["id"]))["schedules"]
    assert sum(counts["schedules.payload"].values()) == 1
    assert row["payload"]["to"] == payload["to"]


def test_the_number_of_schedules_is_limited(platform: Platform, ada: ApiUser) -> None:
    create(ada, name="first")
    with platform.engine.begin() as connection:
        connection.execute(_98_MORE)
    create(ada, name="last")
    error = error_of(ada.post("/schedules", WEEKLY), 403)
    assert (error["code"], error["details"]["schedules_limit"]) == ("SCHEDULE_LIMIT_REACHED", 100)


def test_an_unknown_schedule_is_not_found(ada: ApiUser) -> None:
    for action in ("pause", "resume", "run"):
        assert ada.post(f"/schedules/{UNKNOWN_ID}/{action}").status_code == 404
