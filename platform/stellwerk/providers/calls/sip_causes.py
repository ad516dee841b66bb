"""The causes of Q.850 that SIP's final answers stand for, as FreeSWITCH translates them."""

from collections.abc import Mapping
from types import MappingProxyType

CAUSES: Mapping[int, str] = MappingProxyType(
    {
        **dict.fromkeys((400, 481, 500, 503), "NORMAL_TEMPORARY_FAILURE"),
        **dict.fromkeys((401, 402, 403, 407, 603, 607, 608), "CALL_REJECTED"),
        404: "UNALLOCATED_NUMBER",
        405: "SERVICE_UNAVAILABLE",
        **dict.fromkeys((406, 415, 501), "SERVICE_NOT_IMPLEMENTED"),
        **dict.fromkeys((408, 504), "RECOVERY_ON_TIMER_EXPIRE"),
        410: "NUMBER_CHANGED",
        **dict.fromkeys((413, 414, 416, 420, 421, 423, 505, 513), "INTERWORKING"),
        480: "NO_USER_RESPONSE",
        **dict.fromkeys((482, 483), "EXCHANGE_ROUTING_ERROR"),
        484: "INVALID_NUMBER_FORMAT",
        **dict.fromkeys((485, 604), "NO_ROUTE_DESTINATION"),
        **dict.fromkeys((486, 600), "USER_BUSY"),
        487: "ORIGINATOR_CANCEL",
        **dict.fromkeys((488, 606), "INCOMPATIBLE_DESTINATION"),
        502: "NETWORK_OUT_OF_ORDER",
    }
)


def cause_of(status: str | None) -> str | None:
    """The cause for a status such as `486`; None where it stands for none."""
    text = status or ""
    return CAUSES.get(int(text)) if text.isascii() and text.isdecimal() else None
