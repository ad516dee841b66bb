"""Endpoints, secrets and the delivery log over HTTP."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import text
from werkzeug.test import TestResponse

from api import UNKNOWN_ID, ApiUser, error_of
from attempts import attempt
from embedded import wait_until
from hooks import deliveries_of, verified
from receiver import receiving
from stellwerk.bootstrap import Platform
from stellwerk.identity.model import User
from stellwerk.webhooks.model import WebhookDelivery
from stellwerk_workers.reports import Came

URL = "https://hooks.example.com/in"
WAITING_FOR_LOCKS = text("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")


def made(user: ApiUser, **fields: Any) -> dict[str, Any]:
    answer = user.post("/webhook-endpoints", {"url": URL, **fields})
    assert answer.status_code == 201, answer.text
    shown: dict[str, Any] = answer.get_json()
    return shown


def under_way(platform: Platform, user: ApiUser) -> list[WebhookDelivery]:
    return deliveries_of(platform.runtime, int(user.user["id"]))


def test_an_endpoint_is_made_shown_changed_and_deleted(ada: ApiUser) -> None:
    endpoint = made(ada, event_types=["job.failed"], operations=["videos.*"])
    secret = endpoint.pop("secret")
    path = f"/webhook-endpoints/{endpoint['id']}"
    assert secret.startswith("whsec_")
    assert endpoint["active"] is True
    assert ada.get(path).get_json() == endpoint
    assert ada.get("/webhook-endpoints").get_json()["items"] == [endpoint]

    changed = ada.send("PATCH", path, json={"description": "CI", "active": False}).get_json()
    assert (changed["description"], changed["active"]) == ("CI", False)
    assert changed["event_types"] == ["job.failed"]

    assert ada.send("DELETE", path).status_code == 204
    error_of(ada.get(path), 404)


def test_a_list_of_endpoints_is_paged(ada: ApiUser) -> None:
    ids = [made(ada)["id"] for _ in range(3)]
    first = ada.get("/webhook-endpoints?limit=2").get_json()
    rest = ada.get(f"/webhook-endpoints?limit=2&cursor={first['next_cursor']}").get_json()
    assert [one["id"] for one in first["items"] + rest["items"]] == ids[::-1]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"url": "ftp://hooks.example.com"}, "url"),
        ({"url": "http://169.254.169.254/latest"}, "url"),
        ({"url": "https://ada:secret@hooks.example.com"}, "url"),
        ({"url": "https://hooks.example.com/\u0000"}, "url"),
        ({"event_types": ["job.started"]}, "event_types.0"),
        ({"event_types": ["ping"]}, "event_types.0"),
        ({"operations": ["everything"]}, "operations.0"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_an_endpoint_that_makes_no_sense_is_refused(
    ada: ApiUser, fields: dict[str, Any], field: str
) -> None:
    answer = ada.post("/webhook-endpoints", {"url": URL, **fields})
    assert error_of(answer, 422)["details"]["field"] == field


def test_a_user_has_a_limited_number_of_endpoints(ada: ApiUser, platform: Platform) -> None:
    for _ in range(platform.settings.webhook_endpoints_limit):
        made(ada)
    error_of(ada.post("/webhook-endpoints", {"url": URL}), 409)


def test_a_replaced_secret_is_shown_once_and_the_old_one_stays_valid_for_a_while(
    ada: ApiUser,
) -> None:
    endpoint = made(ada)
    answer = ada.post(f"/webhook-endpoints/{endpoint['id']}/rotate-secret").get_json()
    assert answer["secret"] != endpoint["secret"]
    assert answer["previous_valid_until"].endswith("Z")
    assert "secret" not in ada.get(f"/webhook-endpoints/{endpoint['id']}").get_json()


def test_a_test_event_arrives_and_stands_in_the_log(platform: Platform, ada: ApiUser) -> None:
    with receiving([202]) as receiver:
        endpoint = made(ada, url=receiver.url, event_types=["job.failed"])
        root = f"/webhook-endpoints/{endpoint['id']}"
        answer = ada.post(f"{root}/test")
        sent = answer.get_json()
        assert answer.status_code == 202
        assert answer.headers["Location"].endswith(sent["job_id"])
        assert attempt(platform.runtime, UUID(sent["job_id"])) is Came.COMPLETED
    body = verified(receiver.requests[0], endpoint["secret"])
    assert (body["type"], body["data"]) == ("ping", {"endpoint_id": endpoint["id"]})
    (logged,) = ada.get(f"{root}/deliveries").get_json()["items"]
    assert (logged["webhook_id"], logged["status"]) == (sent["webhook_id"], "delivered")
    (tried,) = logged["attempts"]
    assert (tried["status_code"], tried["error"]) == (202, None)
    assert ada.get(f"/jobs/{sent['job_id']}").get_json()["status"] == "completed"


def test_deliveries_stand_among_ones_jobs_only_for_those_who_ask(
    ada: ApiUser, admin: ApiUser
) -> None:
    root = f"/webhook-endpoints/{made(ada)['id']}"
    sent = ada.post(f"{root}/test").get_json()["job_id"]
    own = ada.submit()

    def listed(user: ApiUser, query: str = "") -> list[str]:
        return [job["job_id"] for job in user.get(f"/jobs{query}").get_json()["items"]]

    assert listed(ada) == [own]
    assert listed(ada, "?status=queued") == []
    assert listed(ada, "?operation=webhooks.deliver") == [sent]
    assert listed(admin, "?all=true") == [own, sent]
    assert ada.get(f"/jobs/{sent}").status_code == 200


def test_a_failed_delivery_is_sent_again_by_hand(platform: Platform, ada: ApiUser) -> None:
    with receiving([410, 200]) as receiver:
        root = f"/webhook-endpoints/{made(ada, url=receiver.url)['id']}"
        first = ada.post(f"{root}/test").get_json()
        again = f"{root}/deliveries/{first['delivery_id']}/redeliver"
        error_of(ada.post(again), 409)
        attempt(platform.runtime, UUID(first["job_id"]))
        error_of(ada.post(again), 409)
        assert ada.get(root).get_json()["disabled_reason"]
        assert ada.send("PATCH", root, json={"active": True}).get_json()["disabled_reason"] is None
        second = ada.post(again).get_json()
        assert attempt(platform.runtime, UUID(second["job_id"])) is Came.COMPLETED
    assert second["job_id"] != first["job_id"]
    assert second["webhook_id"] == first["webhook_id"]
    (logged,) = ada.get(f"{root}/deliveries").get_json()["items"]
    assert [one["status_code"] for one in logged["attempts"]] == [410, 200]
    error_of(ada.post(f"{root}/deliveries/{UNKNOWN_ID}/redeliver"), 404)


def test_a_disabled_endpoint_is_not_tested(ada: ApiUser) -> None:
    endpoint = made(ada, active=False)
    error_of(ada.post(f"/webhook-endpoints/{endpoint['id']}/test"), 409)


def test_a_callback_needs_a_secret_and_is_then_told_and_logged(
    platform: Platform, ada: ApiUser
) -> None:
    with receiving() as receiver:
        body = {"operation": "diagnostics.echo", "callback_url": receiver.url}
        error = error_of(ada.post("/jobs", body), 422)
        assert error["details"]["field"] == "callback_url"
        assert "callback-secret" in error["details"]["reason"]
        assert ada.get("/webhook-endpoints/callback-secret").get_json()["exists"] is False

        secret = ada.post("/webhook-endpoints/callback-secret").get_json()["secret"]
        assert ada.get("/webhook-endpoints/callback-secret").get_json()["exists"] is True
        job_id = ada.post("/jobs", body).get_json()["job_id"]
        attempt(platform.runtime, UUID(job_id))
        (delivery,) = under_way(platform, ada)
        attempt(platform.runtime, delivery.job_id)
        (logged,) = ada.get("/webhook-endpoints/callback-deliveries").get_json()["items"]
        again = f"/webhook-endpoints/callback-deliveries/{logged['id']}/redeliver"
        repeated = ada.post(again).get_json()
        attempt(platform.runtime, UUID(repeated["job_id"]))
    assert logged["status"] == "delivered"
    assert logged["url"] == receiver.url
    assert logged["about_job_id"] == job_id
    first, second = receiver.requests
    assert verified(first, secret)["data"]["job_id"] == job_id
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


@pytest.mark.parametrize("url", ["http://127.0.0.2/", "nonsense", "https://u:p@h.example/", ""])
def test_a_callback_that_will_never_be_called_is_refused(ada: ApiUser, url: str) -> None:
    ada.post("/webhook-endpoints/callback-secret")
    answer = ada.post("/jobs", {"operation": "diagnostics.echo", "callback_url": url})
    assert error_of(answer, 422)["details"]["field"] == "callback_url"


def test_a_user_does_not_repeat_or_submit_deliveries_as_jobs(
    platform: Platform, ada: ApiUser
) -> None:
    with receiving([410]) as receiver:
        root = f"/webhook-endpoints/{made(ada, url=receiver.url)['id']}"
        job_id = ada.post(f"{root}/test").get_json()["job_id"]
        attempt(platform.runtime, UUID(job_id))
    error_of(ada.post(f"/jobs/{job_id}/retry"), 403)


@pytest.mark.parametrize(
    ("method", "what"),
    [
        ("PATCH", ""),
        ("POST", "/rotate-secret"),
        ("POST", "/test"),
        ("POST", "/deliveries/{delivery}/redeliver"),
        ("DELETE", ""),
    ],
)
def test_an_endpoint_that_is_being_deleted_is_gone_for_others(
    platform: Platform, application: Flask, ada: ApiUser, method: str, what: str
) -> None:
    endpoint = made(ada)
    path = f"/webhook-endpoints/{endpoint['id']}"
    delivery = ada.post(f"{path}/test").get_json()["delivery_id"]

    def send(method: str, path: str) -> TestResponse:
        return ApiUser(application.test_client(), ada.credentials).send(method, path)

    with ThreadPoolExecutor() as threads:
        with platform.runtime.sessions.begin() as session:
            session.get_one(User, ada.user["id"], with_for_update=True)
            deleting = threads.submit(send, "DELETE", path)
            wait_until(lambda: waiting_for_locks(platform) == 1)
            other = threads.submit(send, method, path + what.format(delivery=delivery))
            wait_until(lambda: waiting_for_locks(platform) == 2 or other.done())
        assert deleting.result().status_code == 204
    error_of(other.result(), 404)


def waiting_for_locks(platform: Platform) -> int:
    with platform.runtime.sessions() as session:
        number: int = session.scalars(WAITING_FOR_LOCKS).one()
    return number
