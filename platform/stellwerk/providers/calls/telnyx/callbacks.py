"""What Telnyx tells by its webhooks.

See https://developers.telnyx.com/docs/voice/programmable-voice/receiving-webhooks.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from telnyx import Telnyx

from stellwerk.errors import NotPermitted
from stellwerk.providers.calls.callbacks import Callback
from stellwerk.providers.calls.protocol import CallEvent
from stellwerk.providers.calls.telnyx.causes import Told, event_of, whose
from stellwerk.providers.calls.telnyx.client import OWN_URL

_NO_KEY = "nothing is asked"  # the SDK wants one to be there


class TelnyxCallbacks:
    """Requests signed with Telnyx's key (ed25519), no older than five minutes."""

    def __init__(self, public_key: str) -> None:
        client = Telnyx(api_key=_NO_KEY, public_key=public_key, base_url=OWN_URL)
        self._webhooks = client.webhooks

    def events(self, callback: Callback) -> Sequence[CallEvent]:
        """See `Callbacks.events`; the `client_state` tells of which leg of which call it is."""
        try:
            self._webhooks.unwrap(callback.body.decode(), headers=callback.headers)
            data = orjson.loads(callback.body)["data"]
            told = _told(data, data.get("payload") or {})
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            raise NotPermitted("This request is not Telnyx's.") from exc
        event = told and event_of(told)
        return (event,) if event else ()


def _told(data: Mapping[str, Any], payload: Mapping[str, Any]) -> Told | None:
    named = whose(payload.get("client_state"))
    if named is None:
        return None
    at = datetime.fromisoformat(data["occurred_at"])
    return Told(
        whose=named,
        name=data["event_type"],
        at=at if at.tzinfo else at.replace(tzinfo=UTC),
        leg_id=str(payload["call_leg_id"]),
        ref=payload.get("call_control_id"),
        hangup_cause=str(payload.get("hangup_cause") or ""),
        sip_status=str(payload.get("sip_hangup_cause") or ""),
    )
