"""What is asked of Telnyx for a call.

See https://developers.telnyx.com/api/call-control/dial-call. A second order with the same
`command_id` is ignored there.
"""

from typing import Any

from stellwerk.errors import ProviderRejected
from stellwerk.providers.calls.carriers import Manner, refuse_recording
from stellwerk.providers.calls.protocol import Dial
from stellwerk.providers.calls.telnyx.causes import state_of

NAME = "telnyx"
RING_S = (5, 600)
LASTS_AT_MOST_S = 14_400


def order_of(dial: Dial, connection_id: str, manner: Manner) -> dict[str, Any]:
    """The arguments of `calls.dial`; raises ProviderRejected for what Telnyx can not do."""
    _refuse(dial)
    shortest, longest = RING_S
    asked: dict[str, Any] = {
        "connection_id": connection_id,
        "to": dial.to,
        "from_": manner.caller_of(dial),
        "command_id": str(dial.call_id),
        "client_state": state_of(dial.call_id),
        "timeout_secs": min(max(dial.ring_timeout_s, shortest), longest),
        "time_limit_secs": dial.max_duration_s,
    }
    heard_at = manner.callback_url(NAME, dial.call_id)
    return asked if heard_at is None else asked | {"webhook_url": heard_at}


def _refuse(dial: Dial) -> None:
    refuse_recording(dial)
    if dial.first is not None:
        raise ProviderRejected(
            "Over Telnyx no other number is rung before: leave out `from`, or have calls carried "
            "by FreeSWITCH or Twilio."
        )
    if dial.max_duration_s > LASTS_AT_MOST_S:
        raise ProviderRejected(
            f"Over Telnyx a call lasts {LASTS_AT_MOST_S} s at most: ask for a shorter "
            "`max_duration_s`."
        )
