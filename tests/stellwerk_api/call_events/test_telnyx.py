"""Webhooks as Telnyx signs them, and what is not Telnyx's."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api import ApiUser
from calling import stored
from stellwerk.bootstrap import Platform
from stellwerk.configuration.entries import PUBLIC_RATE
from stellwerk.providers.calls.telnyx.causes import End
from told_by_telnyx import PATH, Here, event, reached_by_telnyx

CONFIG = "/admin/config"
CLOSED = {"maintenance.enabled": True}


@pytest.fixture
def here(platform: Platform) -> Here:
    return reached_by_telnyx(platform)


@pytest.mark.parametrize(
    ("cause", "sip", "ours"),
    [
        ("user_busy", "486", "USER_BUSY"),
        ("timeout", "unspecified", "NO_ANSWER"),
        ("unspecified", "503", "NORMAL_TEMPORARY_FAILURE"),
        ("unspecified", "unspecified", "NORMAL_UNSPECIFIED"),
        ("time_limit", "200", "ALLOTTED_TIMEOUT"),
    ],
)
def test_a_call_follows_what_telnyx_tells(here: Here, cause: str, sip: str, ours: str) -> None:
    dial = here.dialling()
    assert here.tell(event(dial, "call.initiated")).status_code == 204
    end = event(dial, "call.hangup", hangup_cause=cause, sip_hangup_cause=sip)
    for _ in range(2):
        assert here.tell(end).status_code == 204
    assert here.told(dial) == [("created", None), ("hung_up", ours)]
    assert stored(here.platform, dial.call_id).cause == ours


def test_answers_are_told_and_what_is_nothing_to_us_is_not(here: Here) -> None:
    dial = here.dialling()
    for name in ("call.answered", "call.recording.saved", "call.speak.ended"):
        assert here.tell(event(dial, name)).status_code == 204
    assert here.told(dial) == [("answered", None)]
    assert stored(here.platform, dial.call_id).state == "answered"


def test_both_legs_of_a_click_to_call_are_told_apart(here: Here) -> None:
    dial = here.dialling(first="+41446681800")
    told = [
        event(dial, "call.answered", End.FIRST),
        event(dial, "call.initiated", End.SECOND),
        event(dial, "call.bridged", End.FIRST),
        event(dial, "call.hangup", End.SECOND, hangup_cause="user_busy"),
        event(dial, "call.hangup", End.FIRST, hangup_cause="normal_clearing"),
    ]
    for one in (*told, *told):
        assert here.tell(one).status_code == 204
    assert here.told(dial) == [
        ("answered", None),
        ("created", None),
        ("bridged", None),
        ("hung_up", "USER_BUSY"),
        ("hung_up", "NORMAL_CLEARING"),
    ]
    call = stored(here.platform, dial.call_id)
    assert (call.state, call.provider_ref) == ("busy", "v3:one")


def test_what_telnyx_did_not_send_now_is_refused_without_saying_why(here: Here) -> None:
    dial = here.dialling()
    told = event(dial, "call.answered")
    answers = [
        here.tell(told, key=Ed25519PrivateKey.generate()),
        here.tell(told, age_s=301),
        here.tell(told, age_s=-310),  # ten seconds too early, which it may take to be read
        here.tell("no event"),
        here.client.post(PATH, json={"data": told}),
        here.client.post(PATH, data=b"\xff"),
    ]
    assert {answer.status_code for answer in answers} == {403}
    assert len({answer.get_json()["error"]["message"] for answer in answers}) == 1
    assert here.told(dial) == []


def test_events_of_others_on_the_same_account_are_taken_and_forgotten(here: Here) -> None:
    dial = here.dialling()
    for state in ("", "aGF2ZSBhIG5pY2UgZGF5ID1d", "not base64"):
        assert here.tell(event(dial, "call.answered", client_state=state)).status_code == 204
    assert here.told(dial) == []


def test_no_limit_keeps_what_is_signed_from_being_heard(here: Here, admin: ApiUser) -> None:
    usual = {"rates.public": PUBLIC_RATE.default}
    assert admin.send("PATCH", CONFIG, json={"values": usual}).status_code == 200
    dial = here.dialling()
    heard = [here.tell(event(dial, "call.answered")).status_code for _ in range(90)]
    strangers = [here.client.post(PATH, json={}) for _ in range(60)]
    assert set(heard) == {204}
    assert {answer.status_code for answer in strangers} == {403}
    while (stranger := here.client.post(PATH, json={})).status_code == 403:
        pass  # some are free again where these took long
    assert stranger.status_code == 429
    assert "public" in stranger.headers["RateLimit"]
    assert here.tell(event(dial, "call.hangup", hangup_cause="normal_clearing")).status_code == 204
    assert stored(here.platform, dial.call_id).state == "completed"


def test_events_are_heard_while_the_platform_is_maintained(here: Here, admin: ApiUser) -> None:
    dial = here.dialling()
    assert admin.send("PATCH", CONFIG, json={"values": CLOSED}).status_code == 200
    assert here.tell(event(dial, "call.answered")).status_code == 204
    assert stored(here.platform, dial.call_id).state == "answered"
