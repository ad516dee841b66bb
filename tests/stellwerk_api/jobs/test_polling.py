import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import orjson
import pytest
from flask import Flask
from pydantic import SecretStr

from again import in_one_of_few_tries
from api import UNKNOWN_ID, ApiUser, error_of, in_an_hour
from embedded import wait_until
from stellwerk.bootstrap import Platform, bootstrap
from stellwerk.clock import new_id
from stellwerk.jobs import control
from stellwerk.jobs.model import Job
from stellwerk.jobs.operation import Registry, Scope
from stellwerk.jobs.remains import JobTombstone
from stellwerk.live import keys
from stellwerk.live.depths import QueueDepths
from stellwerk.settings import Settings
from stellwerk.stack.ports import free_port
from stellwerk_api.app import create_app


def test_a_submission_says_where_and_when_to_look(ada: ApiUser) -> None:
    answer = ada.post("/jobs", {"operation": "diagnostics.echo", "payload": {"message": "hi"}})
    said = answer.get_json()
    url = f"/api/v1/jobs/{said['job_id']}"
    assert answer.status_code == 202
    assert answer.headers["Location"] == said["status_url"] == url
    assert answer.headers["Retry-After"] == "1"
    assert answer.headers["Link"] == f'<{url}/events>; rel="monitor"'
    assert (said["operation"], said["status"]) == ("diagnostics.echo", "queued")
    assert said["links"]["cancel"] == f"{url}/cancel"
    assert UUID(said["job_id"]).version == 7


def test_a_poll_is_answered_from_redis_and_from_the_ledger_alike(
    platform: Platform, ada: ApiUser
) -> None:
    job_id = ada.submit(tags=["blue"])
    live = ada.get(f"/jobs/{job_id}")
    platform.live_client.redis.flushdb()
    stored = ada.get(f"/jobs/{job_id}")
    assert live.get_json() == stored.get_json()
    assert stored.get_json()["tags"] == ["blue"]
    assert platform.live.read(job_id), "a miss fills Redis again"


def test_a_poll_on_the_hot_path_asks_no_database(
    platform: Platform, settings: Settings, ada: ApiUser
) -> None:
    job_id, key = ada.submit(), ada.with_key()
    for user in (ada, key):
        assert user.get(f"/jobs/{job_id}").status_code == 200
    platform.live_client.redis.set(keys.SESSIONS_SWEPT, "1", ex=600)
    nowhere = SecretStr(f"postgresql://x:y@127.0.0.1:{free_port()}/z")
    changed = settings.model_copy(update={"database_url": nowhere})
    with closing(bootstrap(changed, role="tests-blind")) as blind:
        client = create_app(blind).test_client()
        for credentials in (ada.credentials, key.credentials):
            user = ApiUser(client, credentials)
            assert user.get(f"/jobs/{job_id}").status_code == 200
            error_of(user.get("/jobs"), 503)


def test_a_document_the_client_has_is_304(platform: Platform, ada: ApiUser) -> None:
    job_id = ada.submit()
    first = ada.get(f"/jobs/{job_id}")
    etag = first.headers["ETag"]
    again = ada.get(f"/jobs/{job_id}", headers={"If-None-Match": etag})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", etag)
    assert again.headers["Cache-Control"] == "private, no-cache"

    control.cancel(platform.runtime, UUID(job_id))
    changed = ada.get(f"/jobs/{job_id}", headers={"If-None-Match": etag})
    assert (changed.status_code, changed.get_json()["status"]) == (200, "cancelled")
    assert changed.headers["ETag"] != etag
    assert "Retry-After" not in changed.headers


def test_a_job_whose_time_has_come_is_not_the_document_that_the_client_has(ada: ApiUser) -> None:
    def trial() -> None:
        soon = datetime.now(UTC) + timedelta(seconds=1)
        job_id = ada.submit(run_at=soon.isoformat())
        for query in ("", "?wait=0"):  # the quick way, and Flask's
            first = ada.get(f"/jobs/{job_id}{query}")
            assert first.get_json()["status"] == "scheduled"
        known = {"If-None-Match": first.headers["ETag"]}

        wait_until(lambda: ada.get(f"/jobs/{job_id}", headers=known).status_code == 200)
        for query in ("", "?wait=0"):
            again = ada.get(f"/jobs/{job_id}{query}", headers=known)
            assert (again.status_code, again.get_json()["status"]) == (200, "queued")

    in_one_of_few_tries(trial)


def test_a_new_estimate_is_not_the_document_that_the_client_has(
    platform: Platform, settings: Settings, ada: ApiUser
) -> None:
    job_id = ada.submit("diagnostics.sleep")
    known = {"If-None-Match": ada.get(f"/jobs/{job_id}").headers["ETag"]}
    assert ada.get(f"/jobs/{job_id}", headers=known).status_code == 304
    with platform.runtime.sessions.begin() as session:
        session.add(a_completed_job("diagnostics.sleep"))
    platform.live_client.redis.delete(keys.job_status(job_id))

    with closing(bootstrap(settings, role="tests-other")) as other:  # has not measured yet
        user = ApiUser(create_app(other).test_client(), ada.credentials)
        changed = user.get(f"/jobs/{job_id}", headers=known)
    assert changed.status_code == 200
    assert changed.get_json()["estimated_completion_at"] is not None


def a_completed_job(operation: str) -> Job:
    now = datetime.now(UTC)
    return Job(
        id=new_id(),
        operation=operation,
        operation_version=1,
        queue="long",
        payload={},
        max_attempts=1,
        attempt=1,
        status="completed",
        started_at=now - timedelta(seconds=20),
        finished_at=now,
    )


@pytest.mark.parametrize(("age_s", "wait_s"), [(0, 1), (30, 2), (300, 5), (3000, 15)])
def test_the_older_an_unfinished_job_the_later_the_next_look(
    platform: Platform, ada: ApiUser, age_s: float, wait_s: int
) -> None:
    job_id = UUID(ada.submit())
    made_ms = int((time.time() - age_s) * 1000)
    older = UUID(int=(made_ms << 80) | (job_id.int & ((1 << 80) - 1)))
    with platform.runtime.sessions.begin() as session:
        session.get_one(Job, job_id).id = older
    assert ada.get(f"/jobs/{older}").headers["Retry-After"] == str(wait_s)


@pytest.mark.parametrize(("depth", "wait_s"), [(99, 1), (100, 2), (1000, 5), (10_000, 15)])
def test_the_longer_the_queue_the_later_the_next_look_at_a_job_in_it(
    platform: Platform, ada: ApiUser, depth: int, wait_s: int
) -> None:
    answer = ada.post("/jobs", {"operation": "diagnostics.echo"})
    later = ada.submit()
    shown = QueueDepths(platform.live_client)
    for query in ("", "?wait=0"):
        shown.show({"short": depth, "long": 0})  # for a while
        polled = ada.get(f"/jobs/{answer.get_json()['job_id']}{query}")
        assert (polled.get_json()["queue"], polled.headers["Retry-After"]) == ("short", str(wait_s))
    assert ada.get(f"/jobs/{later}").headers["Retry-After"] == "1", "it stands in no queue yet"


def test_an_unknown_job_is_404_and_a_purged_one_410_for_its_owner_only(
    platform: Platform, ada: ApiUser, bob: ApiUser
) -> None:
    error_of(ada.get(f"/jobs/{UNKNOWN_ID}"), 404)
    with platform.runtime.sessions.begin() as session:
        session.add(JobTombstone(job_id=UUID(UNKNOWN_ID), owner_id=ada.user["id"]))
    assert error_of(ada.get(f"/jobs/{UNKNOWN_ID}"), 410)["code"] == "GONE"
    error_of(bob.get(f"/jobs/{UNKNOWN_ID}"), 404)


def test_a_shared_operations_job_is_readable_by_all_and_managed_by_its_owner(
    platform: Platform, ada: ApiUser, bob: ApiUser
) -> None:
    job_id = ada.submit()
    shared = [replace(operation, scope=Scope.SHARED) for operation in platform.runtime.registry]
    runtime = replace(platform.runtime, registry=Registry(tuple(shared)))
    app: Flask = create_app(replace(platform, runtime=runtime))
    reader = ApiUser(app.test_client(), bob.credentials)
    assert reader.get(f"/jobs/{job_id}").status_code == 200
    error_of(reader.post(f"/jobs/{job_id}/cancel"), 403)


def test_events_lead_to_the_public_port(ada: ApiUser) -> None:
    assert error_of(ada.get(f"/jobs/{ada.submit()}/events"), 406)["code"] == "NOT_ACCEPTABLE"


def test_a_job_for_later_is_scheduled(ada: ApiUser) -> None:
    body = {"operation": "diagnostics.echo", "run_at": in_an_hour()}
    said = ada.post("/jobs", body).get_json()
    assert said["status"] == "scheduled"
    assert ada.get(f"/jobs/{said['job_id']}").get_json()["status"] == "scheduled"


def test_the_document_has_every_field_of_its_schema(ada: ApiUser) -> None:
    document = ada.get(f"/jobs/{ada.submit()}").get_json()
    described = ada.client.get("/api/openapi.json").get_json()["components"]["schemas"]
    only_of_sensitive_jobs = {"sensitive"}
    properties = set(described["JobDocument"]["properties"])
    assert set(document) == properties - only_of_sensitive_jobs
    assert orjson.dumps(document)
