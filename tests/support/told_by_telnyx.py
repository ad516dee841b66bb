"""Events of calls over Telnyx, signed as Telnyx does, sent to an installation that it reaches."""

import base64
import time
from dataclasses import dataclass
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from calling import asked
from connecting import knowing
from people import add_user
from stellwerk.bootstrap import Platform
from stellwerk.calls.model import Call, CallEvent
from stellwerk.providers.calls.protocol import Dial
from stellwerk.providers.calls.telnyx.causes import End, state_of
from stellwerk_api.app import create_app

PATH = "/api/v1/call-events/telnyx"
KEY = Ed25519PrivateKey.generate()
PUBLIC = base64.b64encode(KEY.public_key().public_bytes_raw()).decode()


@dataclass(frozen=True, slots=True)
class Here:
    """An installation that Telnyx reaches."""

    platform: Platform
    client: FlaskClient

    def dialling(self, first: str | None = None) -> Dial:
        """A call that Telnyx carries, with its intent stored."""
        also = {"from": first} if first else {}
        call = asked(self.platform, add_user(self.platform), **also)
        with self.platform.runtime.sessions.begin() as session:
            row = session.get_one(Call, call.id)
            row.state, row.provider = "dialing", "telnyx"
        return Dial(call.id, "+493012341005", first=first)

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


def reached_by_telnyx(platform: Platform) -> Here:
    """The platform's API, with the key by which it knows Telnyx."""
    known = knowing(platform, telnyx_public_key=PUBLIC)
    return Here(known, create_app(known).test_client())


def event(dial: Dial, name: str, end: End = End.ONLY, **payload: str) -> dict[str, Any]:
    """What Telnyx tells of a leg."""
    return {
        "record_type": "event",
        "event_type": name,
        "id": "0ccc7b54-4df3-4bca-a65a-3da1ecc777f0",
        "occurred_at": "2026-11-22T20:00:00.123456Z",
        "payload": {
            "call_control_id": "v3:one" if end is not End.SECOND else "v3:two",
            "call_leg_id": f"428c31b6-7af4-4bcb-b7f5-{end.value.encode().hex()[-12:]}",
            "client_state": state_of(dial.call_id, end),
            **payload,
        },
    }
