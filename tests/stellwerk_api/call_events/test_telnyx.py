"""Webhooks as Telnyx signs them, and what is not Telnyx's."""

import base64
import time
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from api import ApiUser
from calling import asked, stored
from connecting import knowing
from people import add_user
from stellwerk.bootstrap import Platform
from stellwerk.calls.model import Call, CallEvent
from stellwerk.configuration.entries import PUBLIC_RATE
from stellwerk.providers.calls.protocol import Dial
from stellwerk.providers.calls.telnyx.causes import state_of
from stellwerk_api.app import create_app

PATH = "/api/v1/call-events/telnyx"
CONFIG = "/admin/config"
CLOSED = {"maintenance.enabled": True}
KEY = Ed25519PrivateKey.generate()
PUBLIC = base64.b64encode(KEY.public_key().public_bytes_raw()).decode()


@dataclass(frozen=True, slots=True)
class Here:
    """An installation that Telnyx reaches."""

    platform: Platform
    client: FlaskClient

    def dialling(self) -> Dial:
        """A call that Telnyx carries, with its intent stored."""
        call = asked(self.platform, add_user(self.platform))
        with self.platform.runtime.sessions.begin() as session:
            row = session.get_one(Call, call.id)
            row.state, row.provider = "dialing", "telnyx"
        return Dial(call.id, "+493012341005")

    def tell(self, data: Any, *, key: Ed25519PrivateKey = KEY, age_s: int = 0) -> TestResponse:
        """Send an event, signed so long ago."""
        body = orjson.dumps({"data": data, "meta": {"attempt": 1}})
        at = str(int(time.time()) - age_s)
        signature = base64.b64encode(key.sign(at.encode() + b"|" + body)).decode()
        headers = {"Telnyx-Signature-Ed25519": signature, "Telnyx-Timestamp": at}
        return self.client.post(PATH, data=body, headers=headers, content_type="application/json")

    def told(self, dial: Dial) -> list[tuple[str, str | None]]:
        """The call's timeline."""
        query = select(CallEvent.kind, CallEvent.cause).where(CallEvent.call_id == dial.call_id)
        with self.platform.runtime.sessions() as session:
            return [(row.kind, row.cause) for row in session.execute(query.order_by(CallEvent.id))]


@pytest.fixture
def here(platform: Platform) -> Here:
    known = knowing(platform, telnyx_public_key=PUBLIC)
    return Here(known, create_app(known).test_client())


def event(dial: Dial, name: str, **payload: str) -> dict[str, Any]:
    return {
        "record_type": "event",
        "event_type": name,
        "id": "0ccc7b54-4df3-4bca-a65a-3da1ecc777f0",
        "occurred_at": "2026-11-22T20:00:00.123456Z",
        "payload": {
            "call_control_id": "v3:one",
            "call_leg_id": "428c31b6-7af4-4bcb-b7f5-5013ef9657c1",
            "client_state": state_of(dial.call_id),
            **payload,
        },
    }


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


def test_what_telnyx_did_not_send_now_is_refused_without_saying_why(here: Here) -> None:
    dial = here.dialling()
    told = event(dial, "call.answered")
    answers = [
        here.tell(told, key=Ed25519PrivateKey.generate()),
        here.tell(told, age_s=301),
        here.tell(told, age_s=-301),
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
    strangers = [here.client.post(PATH, json={}) for _ in range(90)]
    assert set(heard) == {204}
    assert {answer.status_code for answer in strangers[:60]} == {403}
    assert strangers[-1].status_code == 429
    assert "public" in strangers[-1].headers["RateLimit"]
    assert here.tell(event(dial, "call.hangup", hangup_cause="normal_clearing")).status_code == 204
    assert stored(here.platform, dial.call_id).state == "completed"


def test_events_are_heard_while_the_platform_is_maintained(here: Here, admin: ApiUser) -> None:
    dial = here.dialling()
    assert admin.send("PATCH", CONFIG, json={"values": CLOSED}).status_code == 200
    assert here.tell(event(dial, "call.answered")).status_code == 204
    assert stored(here.platform, dial.call_id).state == "answered"
