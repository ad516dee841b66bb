"""`POST /call`: what is accepted, and what is refused before anything is stored or dialled."""

from typing import Any

import pytest
from sqlalchemy import func, select

from api import ApiUser, error_of
from called import telephonist
from no_numbers import NO_NUMBERS
from stellwerk.bootstrap import Platform
from stellwerk.calls.model import Call
from stellwerk.jobs.model import Job

TO = "+493012341005"
ONCE = {"Idempotency-Key": "once"}
FIELDS = ("to", "from", "caller_id")


@pytest.fixture
def caller(ada: ApiUser) -> ApiUser:
    return telephonist(ada)


def rows(platform: Platform) -> tuple[int, int]:
    """How many calls there are, and jobs of theirs."""
    with platform.runtime.sessions() as session:
        jobs = select(func.count()).where(Job.operation == "calls.originate")
        return session.scalar(select(func.count(Call.id))) or 0, session.scalar(jobs) or 0


def test_a_call_is_accepted_with_its_own_names(caller: ApiUser, ada: ApiUser) -> None:
    answer = caller.post("/call", {"to": "030 1234-1005", "timeout_s": 30})
    said = answer.get_json()
    assert answer.status_code == 202, answer.text
    assert said["operation"] == "calls.originate"
    assert said["status_url"] == f"/api/v1/call-status/{said['call_id']}"
    assert answer.headers["Location"] == said["status_url"]
    assert answer.headers["Link"] == f'</api/v1/jobs/{said["job_id"]}/events>; rel="monitor"'

    call = ada.get(said["status_url"].removeprefix("/api/v1")).get_json()  # no need to call to look
    assert (call["state"], call["to"], call["from"]) == ("queued", TO, None)
    assert (call["job_id"], call["timeout_s"], call["max_duration_s"]) == (said["job_id"], 30, 3600)
    assert (call["timeline"], call["cost"]) == ([], None)


def test_what_is_accepted_by_the_alias_is_looked_at_by_it(caller: ApiUser) -> None:
    sent = dict(caller.credentials)
    answer = caller.client.post("/call/", json={"to": TO, "from": "030 12341000"}, headers=sent)
    said = answer.get_json()
    assert said["status_url"] == f"/call-status/{said['call_id']}" == answer.headers["Location"]
    call = caller.client.get(said["status_url"], headers=sent).get_json()
    assert (call["from"], call["status_url"]) == ("+493012341000", said["status_url"])
    hung_up = caller.client.post(f"/call/{said['call_id']}/hangup", headers=sent)
    assert (hung_up.status_code, hung_up.get_json()["status_url"]) == (200, said["status_url"])


def test_the_general_route_takes_the_same_and_refuses_the_same(
    caller: ApiUser, ada: ApiUser, admin: ApiUser, platform: Platform
) -> None:
    many = dict.fromkeys(("free", "pro", "enterprise"), "1000/min")
    admin.send("PUT", "/admin/config/rates.calls", json={"value": many})
    job_id = caller.submit("calls.originate", payload={"to": TO, "timeout_s": 30})
    (call,) = ada.get("/call-history").get_json()["items"]
    assert (call["job_id"], call["to"], call["timeout_s"]) == (job_id, TO, 30)
    for value in NO_NUMBERS:
        body = {"operation": "calls.originate", "payload": {"to": value}}
        error_of(caller.post("/jobs", body), 422)
    assert rows(platform) == (1, 1)


def test_sent_again_it_is_the_same_call(caller: ApiUser, platform: Platform) -> None:
    first, again = (caller.post("/call", {"to": TO}, headers=ONCE) for _ in range(2))
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.get_json()["call_id"] == first.get_json()["call_id"]
    other = caller.post("/call", {"to": "+493012341000"}, headers=ONCE)
    assert error_of(other, 422)["code"] == "IDEMPOTENCY_KEY_REUSED"
    assert rows(platform) == (1, 1)


@pytest.mark.parametrize("path", ["/call", "/jobs"])
def test_a_key_calls_with_an_idempotency_key_only(
    ada: ApiUser, platform: Platform, path: str
) -> None:
    key = ada.with_key(scopes=["calls.*"])
    call = {"to": TO}
    body = call if path == "/call" else {"operation": "calls.originate", "payload": call}
    refused = error_of(key.post(path, body), 400)
    assert refused["code"] == "IDEMPOTENCY_KEY_REQUIRED"
    assert rows(platform) == (0, 0)
    assert key.post(path, body, headers=ONCE).status_code == 202


def test_an_ordinary_session_is_told_to_sign_in_for_telephony(ada: ApiUser) -> None:
    refused = error_of(ada.post("/call", {"to": TO}), 403)
    assert refused["details"] == {"permission": "calls:originate", "audience": "telephony"}


def test_recording_needs_a_permission_of_its_own(
    caller: ApiUser, admin: ApiUser, platform: Platform
) -> None:
    body = {"to": TO, "record": True}
    for path, sent in (
        ("/call", body),
        ("/jobs", {"operation": "calls.originate", "payload": body}),
    ):
        refused = error_of(caller.post(path, sent), 403)
        assert refused["details"] == {"permission": "calls:record"}
    assert rows(platform) == (0, 0)
    said = telephonist(admin).post("/call", body).get_json()
    assert admin.get(f"/call-status/{said['call_id']}").get_json()["record"] is True


@pytest.mark.parametrize("field", FIELDS)
def test_what_is_no_number_is_refused_by_its_field_and_nothing_is_stored(
    caller: ApiUser, platform: Platform, field: str
) -> None:
    for value in NO_NUMBERS:
        if value is None and field != "to":
            continue  # the same as not given
        answer = caller.post("/call", {"to": TO, field: value})
        error = error_of(answer, 422)
        assert error["details"]["field"].partition(".")[0] == field, value
        assert error["details"]["reason"]
        assert "3012341" not in answer.text, value  # it may be somebody's
    assert rows(platform) == (0, 0)


def test_a_refusal_may_be_asked_for_as_problem_json(caller: ApiUser) -> None:
    problem = caller.post("/call", {"to": "{}"}, headers={"Accept": "application/problem+json"})
    assert (problem.status_code, problem.content_type) == (422, "application/problem+json")
    assert problem.get_json()["status"] == 422


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "to"),
        ({"to": TO, "timeout_s": 0}, "timeout_s"),
        ({"to": TO, "timeout_s": "30"}, "timeout_s"),
        ({"to": TO, "max_duration_s": 10**9}, "max_duration_s"),
        ({"to": TO, "record": "yes"}, "record"),
        ({"to": TO, "gateway": "other"}, "gateway"),
    ],
)
def test_other_fields_are_checked_as_well(caller: ApiUser, body: Any, field: str) -> None:
    assert error_of(caller.post("/call", body), 422)["details"]["field"] == field


def test_numbers_that_are_not_called_from_here_are_refused(caller: ApiUser) -> None:
    for number in ("+870776123456", "+499001123456"):
        refused = error_of(caller.post("/call", {"to": number}), 422)
        assert refused["details"]["field"] == "to"


def test_a_call_and_its_job_do_not_show_the_number_to_operators(
    caller: ApiUser, admin: ApiUser
) -> None:
    said = caller.post("/call", {"to": TO}).get_json()
    for path in (f"/jobs/{said['job_id']}", "/jobs?all=true", f"/call-status/{said['call_id']}"):
        answer = admin.get(path)
        assert answer.status_code == 200
        assert "12341005" not in answer.text, path
