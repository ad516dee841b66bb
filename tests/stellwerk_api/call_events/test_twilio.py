"""What Twilio's stand-in tells of calls by its own signed requests, and what nobody else may."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr
from sqlalchemy import select
from twilio.request_validator import RequestValidator
from werkzeug.test import TestResponse

from calling import asked, stored
from connecting import knowing
from embedded import wait_until
from emulated_twilio import ACCOUNT, OWN_NUMBER, TOKEN, Twilio, running_twilio
from people import add_user
from serving import served
from stellwerk.bootstrap import Platform
from stellwerk.calls.model import Call, CallEvent
from stellwerk.choices import CallProvider
from stellwerk.providers.calls.protocol import Dial
from stellwerk.stack.ports import free_port
from stellwerk_api.app import create_app

PATH = "/api/v1/call-events/twilio"
NUMBER = "+493012341005"


pytestmark = pytest.mark.xdist_group("emulated")  # so that the emulator is started once


@pytest.fixture(scope="module")
def twilio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twilio]:
    with running_twilio(tmp_path_factory.mktemp("twilio")) as running:
        yield running


@dataclass(frozen=True, slots=True)
class Here:
    """An installation whose calls Twilio carries, and that Twilio reaches."""

    platform: Platform
    client: FlaskClient
    url: str

    def dialling(self) -> Dial:
        """A call with its intent stored."""
        call = asked(self.platform, add_user(self.platform))
        with self.platform.runtime.sessions.begin() as session:
            session.get_one(Call, call.id).state = "dialing"
        return Dial(call.id, NUMBER)

    def tell(self, dial: Dial, signed_for: str = "", **fields: str) -> TestResponse:
        """Send what Twilio would, signed for our address or another one."""
        path = f"{PATH}?{urlencode({'call': str(dial.call_id), 'leg': 'to'})}"
        signature = RequestValidator(TOKEN).compute_signature(signed_for or self.url + path, fields)
        return self.client.post(path, data=fields, headers={"X-Twilio-Signature": signature})

    def state(self, dial: Dial) -> str:
        """The call's."""
        return stored(self.platform, dial.call_id).state

    def told(self, dial: Dial) -> list[tuple[str, str | None]]:
        """The call's timeline."""
        query = select(CallEvent.kind, CallEvent.cause).where(CallEvent.call_id == dial.call_id)
        with self.platform.runtime.sessions() as session:
            return [(row.kind, row.cause) for row in session.execute(query.order_by(CallEvent.id))]


@pytest.fixture
def here(platform: Platform, twilio: Twilio) -> Iterator[Here]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    known = knowing(
        platform,
        call_provider=CallProvider.TWILIO,
        twilio_account_sid=ACCOUNT,
        twilio_auth_token=SecretStr(TOKEN),
        twilio_base_url=twilio.url,
        carrier_caller_id=OWN_NUMBER,
        public_url=url,
    )
    app = create_app(known)
    with served(app, port):
        yield Here(known, app.test_client(), url)


def fields(status: str, **more: str) -> dict[str, str]:
    return {"CallSid": "CA1", "CallStatus": status, "AccountSid": ACCOUNT, **more}


def test_twilio_tells_each_stage_of_a_call(here: Here, twilio: Twilio) -> None:
    dial, trunk = here.dialling(), here.platform.runtime.providers.trunk
    assert trunk is not None
    sid = str(asyncio.run(trunk.dial(dial)))
    wait_until(lambda: here.state(dial) == "ringing")
    twilio.becomes(sid, "in-progress")
    wait_until(lambda: here.state(dial) == "answered")
    twilio.becomes(sid, "completed")
    wait_until(lambda: here.state(dial) == "completed")
    told = here.told(dial)
    assert told == [("ringing", None), ("answered", None), ("hung_up", "NORMAL_CLEARING")]


def test_the_same_request_again_changes_nothing(here: Here) -> None:
    dial = here.dialling()
    for _ in range(2):
        answer = here.tell(dial, **fields("ringing", Timestamp="Sun, 22 Nov 2026 20:00:00 +0000"))
        assert answer.status_code == 204, answer.text
    assert here.told(dial) == [("ringing", None)]


def test_the_seconds_that_twilio_bills_and_sips_reason_are_taken(here: Here) -> None:
    dial = here.dialling()
    here.tell(dial, **fields("in-progress", Timestamp="Sun, 22 Nov 2026 20:00:00 +0000"))
    end = fields("completed", Timestamp="Sun, 22 Nov 2026 20:01:00 +0000", CallDuration="61")
    assert here.tell(dial, **end).status_code == 204
    assert stored(here.platform, dial.call_id).billable_s == 61
    refused = here.dialling()
    here.tell(refused, **fields("failed", SipResponseCode="404"))
    assert stored(here.platform, refused.call_id).cause == "UNALLOCATED_NUMBER"


def test_what_twilio_did_not_send_is_refused_without_saying_why(here: Here) -> None:
    dial = here.dialling()
    path = f"{PATH}?call={dial.call_id}&leg=to"
    unsigned = here.client.post(path, data=fields("ringing"))
    signed_for_another = here.tell(dial, signed_for=here.url + PATH, **fields("ringing"))
    binary = here.client.post(path, data=b"\xff\xfe", headers={"X-Twilio-Signature": "x"})
    answers = [unsigned, signed_for_another, binary]
    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert len({answer.get_json()["error"]["message"] for answer in answers}) == 1
    assert here.told(dial) == []


def test_what_is_signed_and_nothing_to_us_is_taken(here: Here) -> None:
    dial = here.dialling()
    assert here.tell(dial, **fields("queued")).status_code == 204
    elsewhere = Dial(here.dialling().call_id, NUMBER)
    with here.platform.runtime.sessions.begin() as session:
        session.get_one(Call, elsewhere.call_id).provider = "freeswitch"
    assert here.tell(elsewhere, **fields("ringing")).status_code == 204
    signature = RequestValidator(TOKEN).compute_signature(here.url + PATH, fields("ringing"))
    answer = here.client.post(
        PATH, data=fields("ringing"), headers={"X-Twilio-Signature": signature}
    )
    assert answer.status_code == 204
    assert here.told(dial) == here.told(elsewhere) == []


def test_more_than_a_carrier_sends_is_not_read(here: Here) -> None:
    answer = here.client.post(PATH, data={"CallSid": "x" * 70_000})
    assert answer.status_code == 413


@pytest.mark.parametrize("carrier", ["telnyx", "nobody"])
def test_a_carrier_that_is_not_set_up_is_not_there(here: Here, carrier: str) -> None:
    answer: Any = here.client.post(f"/api/v1/call-events/{carrier}", data={})
    assert answer.status_code == 404
