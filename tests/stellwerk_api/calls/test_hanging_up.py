"""`POST /call/{id}/hangup`, at each point of a call."""

import pytest
from sqlalchemy import select

from api import ApiUser, error_of
from called import TO, add_call, telephonist
from stellwerk.bootstrap import Platform
from stellwerk.calls.model import Call
from stellwerk.calls.states import ENDED


@pytest.fixture
def caller(ada: ApiUser) -> ApiUser:
    return telephonist(ada)


def test_a_call_that_waits_is_cancelled_with_its_job(caller: ApiUser, ada: ApiUser) -> None:
    said = caller.post("/call", {"to": TO}).get_json()
    answer = caller.post(f"/call/{said['call_id']}/hangup")
    assert (answer.status_code, answer.get_json()["state"]) == (200, "cancelled")
    assert ada.get(f"/call-status/{said['call_id']}").get_json()["ended_at"]
    refused = error_of(caller.post(f"/call/{said['call_id']}/hangup"), 409)
    assert (refused["code"], refused["details"]["state"]) == ("CALL_ENDED", "cancelled")


@pytest.mark.parametrize("state", ["dialing", "ringing", "answered"])
def test_a_call_under_way_is_asked_to_end_once_however_often_one_asks(
    caller: ApiUser, platform: Platform, state: str
) -> None:
    call_id = add_call(platform, int(caller.user["id"]), state=state)
    asked = []
    for _ in range(2):
        answer = caller.post(f"/call/{call_id}/hangup")
        assert (answer.status_code, answer.get_json()) == (
            202,
            {
                "call_id": str(call_id),
                "state": state,
                "status_url": f"/api/v1/call-status/{call_id}",
            },
        )
        with platform.runtime.sessions() as session:
            asked.append(session.scalars(select(Call.hangup_asked_at)).one())
    assert asked[0] is not None
    assert asked[0] == asked[1]
    assert caller.get(f"/call-status/{call_id}").get_json()["hangup_requested_at"]


def test_a_call_that_has_ended_is_refused_with_its_state(
    caller: ApiUser, platform: Platform
) -> None:
    for state in sorted(ENDED):
        call_id = add_call(platform, int(caller.user["id"]), state=state, cause="USER_BUSY")
        refused = error_of(caller.post(f"/call/{call_id}/hangup"), 409)
        assert refused["details"] == {"state": state, "hangup_cause": "USER_BUSY"}


def test_somebody_elses_call_is_not_found(
    caller: ApiUser, bob: ApiUser, admin: ApiUser, platform: Platform
) -> None:
    call_id = add_call(platform, int(caller.user["id"]), state="ringing")
    for other in (bob, admin):
        error_of(telephonist(other).post(f"/call/{call_id}/hangup"), 404)
    with platform.runtime.sessions() as session:
        assert session.scalars(select(Call.hangup_asked_at)).one() is None


def test_a_call_ends_while_the_platform_is_maintained(
    caller: ApiUser, admin: ApiUser, platform: Platform
) -> None:
    call_id = add_call(platform, int(caller.user["id"]), state="answered")
    closed = {"values": {"maintenance.enabled": True}}
    assert admin.send("PATCH", "/admin/config", json=closed).status_code == 200
    assert error_of(caller.post("/call", {"to": TO}), 503)["code"] == "MAINTENANCE"
    assert caller.post(f"/call/{call_id}/hangup").status_code == 202
