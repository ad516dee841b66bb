"""`/call-status` and `/call-history`: how calls are, for their owners and for operators."""

from contextlib import closing
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from api import UNKNOWN_ID, ApiUser, error_of
from called import BEGAN, TO, add_call, add_events
from calling import SPOILT, spoil
from stellwerk.audit.model import AuditEntry
from stellwerk.bootstrap import Platform, bootstrap
from stellwerk.clock import id_at, new_id, rfc3339
from stellwerk.masking import masked_number
from stellwerk.settings import Settings
from stellwerk_api.app import create_app

FROM = "+493012340000"
HEARD = ("created", "ringing", "answered", "hung_up")


def of(user: ApiUser) -> int:
    return int(user.user["id"])


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["call_id"] for item in answer.get_json()["items"]]


@pytest.fixture
def completed(platform: Platform, ada: ApiUser) -> str:
    """A call of Ada's that somebody answered."""
    call_id = add_call(
        platform,
        of(ada),
        state="completed",
        first_number=FROM,
        caller_id=FROM,
        cause="NORMAL_CLEARING",
        duration_s=30,
        billable_s=60,
        cost_eur="0.02",
    )
    add_events(platform, call_id, HEARD, "NORMAL_CLEARING")
    return str(call_id)


def test_a_call_is_shown_with_its_record_and_its_timeline(ada: ApiUser, completed: str) -> None:
    answer = ada.get(f"/call-status/{completed}")
    call = answer.get_json()
    assert (call["state"], call["hangup_cause"]) == ("completed", "NORMAL_CLEARING")
    assert (call["to"], call["from"], call["caller_id"]) == (TO, FROM, FROM)
    assert (call["duration_s"], call["billable_s"], call["cost"]) == (30, 60, 0.02)
    assert call["status_url"] == f"/api/v1/call-status/{completed}"
    assert [event["event"] for event in call["timeline"]] == list(HEARD)
    assert call["timeline"][-1] == {
        "at": rfc3339(BEGAN + timedelta(seconds=3)),
        "leg": "to",
        "event": "hung_up",
        "hangup_cause": "NORMAL_CLEARING",
    }
    assert "Retry-After" not in answer.headers


def test_a_poll_is_told_when_to_come_again_and_that_nothing_has_changed(
    ada: ApiUser, platform: Platform
) -> None:
    young = add_call(platform, of(ada), state="ringing")
    old = add_call(platform, of(ada), state="answered", id=id_at(BEGAN, "old"))
    first = ada.get(f"/call-status/{young}")
    assert first.headers["Retry-After"] == "1"
    assert first.headers["Cache-Control"] == "private, no-cache"
    assert ada.get(f"/call-status/{old}").headers["Retry-After"] == "15"

    seen = {"If-None-Match": first.headers["ETag"]}
    again = ada.get(f"/call-status/{young}", headers=seen)
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    add_events(platform, young, HEARD[:1], "")
    assert ada.get(f"/call-status/{young}", headers=seen).status_code == 200


def test_operators_see_anybodys_call_masked_and_that_is_on_record(
    ada: ApiUser, admin: ApiUser, completed: str, platform: Platform
) -> None:
    own, theirs = (user.get(f"/call-status/{completed}") for user in (ada, admin))
    call = theirs.get_json()
    assert (call["to"], call["from"]) == (masked_number(TO), masked_number(FROM))
    assert call["to"] == "+4930•••005"
    assert call["caller_id"] == masked_number(FROM)
    assert own.headers["ETag"] != theirs.headers["ETag"]
    with platform.runtime.sessions() as session:
        looked = select(AuditEntry.target).where(AuditEntry.action == "call.read")
        assert session.scalars(looked).all() == [f"call:{completed}"]


def test_somebody_elses_call_is_not_found(ada: ApiUser, bob: ApiUser, completed: str) -> None:
    del ada
    assert error_of(bob.get(f"/call-status/{completed}"), 404)["message"].endswith(f"{completed}.")
    error_of(bob.get(f"/call-status/{UNKNOWN_ID}"), 404)
    assert ids(bob.get("/call-history")) == []


@pytest.mark.parametrize("how", SPOILT)
def test_a_number_that_nobody_can_read_is_shown_as_unknown_and_all_else_as_ever(
    ada: ApiUser, admin: ApiUser, completed: str, platform: Platform, how: str
) -> None:
    other = str(add_call(platform, of(ada), id=id_at(BEGAN, "other")))
    spoil(platform, UUID(completed), how)
    for user in (ada, admin):
        call = user.get(f"/call-status/{completed}").get_json()
        assert (call["to"], call["state"], len(call["timeline"])) == (None, "completed", 4)
    items = ada.get("/call-history").get_json()["items"]
    assert {item["call_id"]: item["to"] for item in items} == {completed: None, other: TO}


def test_an_erased_call_tells_operators_no_number(admin: ApiUser, platform: Platform) -> None:
    call_id = add_call(platform, None, state="busy", to_number=None, to_hash=None)
    call = admin.get(f"/call-status/{call_id}").get_json()
    assert (call["to"], call["from"], call["state"]) == (None, None, "busy")


def test_the_history_is_newest_first_and_comes_in_pages(ada: ApiUser, platform: Platform) -> None:
    made = [str(add_call(platform, of(ada), id=new_id())) for _ in range(5)]
    assert ids(ada.get("/call-history")) == made[::-1]
    first = ada.get("/call-history?limit=2")
    cursor = first.get_json()["next_cursor"]
    second = ada.get(f"/call-history?limit=2&cursor={cursor}")
    last = ada.get(f"/call-history?limit=2&cursor={second.get_json()['next_cursor']}")
    assert ids(first) + ids(second) + ids(last) == made[::-1]
    assert last.get_json()["next_cursor"] is None
    assert first.get_json()["items"][0]["to"] == TO
    by_alias = ada.client.get("/call-history", headers=dict(ada.credentials)).get_json()["items"]
    assert by_alias[0]["status_url"] == f"/call-status/{made[-1]}"


def test_the_history_is_narrowed_by_state_and_time(ada: ApiUser, platform: Platform) -> None:
    early = str(add_call(platform, of(ada), state="busy"))
    late = str(add_call(platform, of(ada), created_at=BEGAN + timedelta(hours=1)))
    assert ids(ada.get("/call-history?state=busy,no_answer")) == [early]
    assert ids(ada.get("/call-history?state=answered")) == []
    between = (rfc3339(BEGAN), rfc3339(BEGAN + timedelta(hours=1)))
    assert ids(ada.get("/call-history?since={}&until={}".format(*between))) == [early]
    assert ids(ada.get(f"/call-history?since={between[1]}")) == [late]


def test_a_number_is_found_by_its_hash_however_it_is_written(
    ada: ApiUser, bob: ApiUser, platform: Platform
) -> None:
    called = str(add_call(platform, of(ada)))
    rung = str(add_call(platform, of(ada), to=FROM, first_number=TO))
    add_call(platform, of(ada), to=FROM)
    for written in ("%2B493012341005", "+493012341005", "030%2012341005", "(030)%201234-1005"):
        assert ids(ada.get(f"/call-history?number={written}")) == [rung, called], written
    assert ids(bob.get("/call-history?number=%2B493012341005")) == []


@pytest.mark.parametrize(
    "query",
    [
        "number=nobody",
        "number=112",
        "number=%D9%A0%D9%A1%D9%A2%D9%A3",
        f"number={'1' * 10_000}",
        "state=gone",
        "since=yesterday",
        "since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z",
        "cursor=nonsense",
        "user=1",
    ],
    ids=lambda query: query[:20],
)
def test_what_is_no_filter_is_refused(ada: ApiUser, query: str) -> None:
    field = error_of(ada.get(f"/call-history?{query}"), 422)["details"]["field"]
    assert field.partition(".")[0] in {query.partition("=")[0], "until"}


def test_a_number_is_found_under_an_older_key_of_the_installation(
    ada: ApiUser, platform: Platform, settings: Settings
) -> None:
    before = str(add_call(platform, of(ada)))
    keys = ",".join(["a new key of thirty-two or more bytes", *settings.encryption_keys()])
    changed = settings.model_copy(update={"encryption_key": SecretStr(keys)})
    key = ada.with_key()
    with closing(bootstrap(changed, role="tests-renewed")) as other:
        after = str(add_call(other, of(ada)))
        now = ApiUser(create_app(other).test_client(), key.credentials)
        assert ids(now.get("/call-history?number=%2B493012341005")) == [after, before]
