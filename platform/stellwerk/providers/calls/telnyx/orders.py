"""What is asked of Telnyx for a call.

See https://developers.telnyx.com/api/call-control/dial-call and, for the second leg,
https://developers.telnyx.com/api/call-control/transfer-call. A second order with the same
`command_id` is ignored there.
"""

from typing import Any
from uuid import uuid5

from stellwerk.errors import ProviderRejected
from stellwerk.providers.calls.carriers import Manner, refuse_recording
from stellwerk.providers.calls.protocol import Dial
from stellwerk.providers.calls.telnyx.causes import End, state_of

NAME = "telnyx"
RING_S = (5, 600)
LASTS_AT_MOST_S = 14_400
FIRST_WAITS_S = 60  # for `to` to be dialled


def order_of(dial: Dial, connection_id: str, manner: Manner) -> dict[str, Any]:
    """The arguments of `calls.dial`; raises ProviderRejected for what Telnyx can not do."""
    _refuse(dial)
    end = End.ONLY if dial.first is None else End.FIRST
    asked: dict[str, Any] = {
        "connection_id": connection_id,
        "to": dial.first or dial.to,
        "from_": manner.caller_of(dial),
        "command_id": str(dial.call_id),
        "client_state": state_of(dial.call_id, end),
        "timeout_secs": _rings_s(dial),
        "time_limit_secs": dial.max_duration_s + _lead_s(dial),
    }
    return asked | _heard_at(dial, manner)


def transfer_of(dial: Dial, manner: Manner) -> dict[str, Any]:
    """The arguments of `calls.actions.transfer` that has `to` rung by who answered."""
    asked: dict[str, Any] = {
        "to": dial.to,
        "from_": manner.caller_of(dial),
        "command_id": str(uuid5(dial.call_id, End.SECOND)),
        "target_leg_client_state": state_of(dial.call_id, End.SECOND),
        "timeout_secs": _rings_s(dial),
        "time_limit_secs": dial.max_duration_s,
    }
    return asked | _heard_at(dial, manner)


def _heard_at(dial: Dial, manner: Manner) -> dict[str, Any]:
    heard_at = manner.callback_url(NAME, dial.call_id)
    return {} if heard_at is None else {"webhook_url": heard_at}


def _rings_s(dial: Dial) -> int:
    shortest, longest = RING_S
    return min(max(dial.ring_timeout_s, shortest), longest)


def _lead_s(dial: Dial) -> int:
    """How long the first leg lasts before the two talk."""
    return 0 if dial.first is None else FIRST_WAITS_S + _rings_s(dial)


def _refuse(dial: Dial) -> None:
    refuse_recording(dial)
    most_s = LASTS_AT_MOST_S - _lead_s(dial)
    if dial.max_duration_s > most_s:
        raise ProviderRejected(
            f"Over Telnyx this call lasts {most_s} s at most: ask for a shorter `max_duration_s`."
        )
