"""What is asked of Twilio for a call.

See https://www.twilio.com/docs/voice/api/call-resource#create-a-call-resource and
https://www.twilio.com/docs/voice/twiml/dial.
"""

from typing import Any

from twilio.twiml.voice_response import VoiceResponse

from stellwerk.errors import ProviderRejected
from stellwerk.providers.calls.carriers import Manner, refuse_recording
from stellwerk.providers.calls.protocol import Dial, Leg

NAME = "twilio"
STAGES = ["initiated", "ringing", "answered", "completed"]
RING_AT_MOST_S = 600
BRIDGED_AT_MOST_S = 14_400  # the longest that <Dial> lets two talk
FIRST_HEARS_S = 30  # of what comes before the second number is dialled


def order_of(dial: Dial, manner: Manner) -> dict[str, Any]:
    """The arguments of `calls.create`; raises ProviderRejected for what Twilio can not do."""
    _refuse(dial)
    leg = Leg.TO if dial.first is None else Leg.FIRST
    asked: dict[str, Any] = {
        "to": dial.first or dial.to,
        "from_": manner.caller_of(dial),
        "twiml": _bridged(dial, manner) if dial.first else _held(dial),
        "timeout": min(dial.ring_timeout_s, RING_AT_MOST_S),
        "time_limit": dial.max_duration_s + (_lead_s(dial) if dial.first else 0),
    }
    heard_at = manner.callback_url(NAME, dial.call_id, leg=leg.value)
    if heard_at is not None:
        asked |= {"status_callback": heard_at, "status_callback_event": STAGES}
    return asked


def _refuse(dial: Dial) -> None:
    refuse_recording(dial)
    if dial.first is not None and dial.max_duration_s > BRIDGED_AT_MOST_S:
        raise ProviderRejected(
            f"Over Twilio a call with `from` lasts {BRIDGED_AT_MOST_S} s at most: ask for a "
            "shorter `max_duration_s`."
        )


def _lead_s(dial: Dial) -> int:
    return FIRST_HEARS_S + dial.ring_timeout_s


def _held(dial: Dial) -> str:
    response = VoiceResponse()
    response.pause(length=dial.max_duration_s)
    return str(response)


def _bridged(dial: Dial, manner: Manner) -> str:
    response = VoiceResponse()
    bridge = response.dial(
        caller_id=manner.caller_of(dial),
        timeout=min(dial.ring_timeout_s, RING_AT_MOST_S),
        time_limit=dial.max_duration_s,
    )
    heard_at = manner.callback_url(NAME, dial.call_id, leg=Leg.TO.value)
    if heard_at is None:
        bridge.number(dial.to)
    else:
        events = " ".join(STAGES)
        bridge.number(dial.to, status_callback=heard_at, status_callback_event=events)
    return str(response)
