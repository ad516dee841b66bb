"""Why calls end: the causes of Q.850 by FreeSWITCH's names, and what each makes of a call.

The one table; providers that have other names translate them to these.
"""

from collections.abc import Mapping
from types import MappingProxyType

from stellwerk.calls.states import CallState

NORMAL_CLEARING = "NORMAL_CLEARING"
ORIGINATOR_CANCEL = "ORIGINATOR_CANCEL"
UNKNOWN = "UNKNOWN"  # nobody knows what became of the call
NOT_DIALLED_IN_TIME = "NOT_DIALLED_IN_TIME"
LOST = "LOST"  # it was there and is no more, and nobody heard it end
NUMBER_UNREADABLE = "NUMBER_UNREADABLE"  # its key is gone, so it was not dialled
NOT_DIALLED = "NOT_DIALLED"  # its job failed before

# What a call is that nobody answered. Whatever ends one that was answered, it is completed.
UNANSWERED: Mapping[str, CallState] = MappingProxyType(
    {
        "USER_BUSY": CallState.BUSY,
        "NO_ANSWER": CallState.NO_ANSWER,
        "NO_USER_RESPONSE": CallState.NO_ANSWER,
        "PROGRESS_TIMEOUT": CallState.NO_ANSWER,
        "ALLOTTED_TIMEOUT": CallState.NO_ANSWER,
        "SUBSCRIBER_ABSENT": CallState.NO_ANSWER,
        "USER_NOT_REGISTERED": CallState.NO_ANSWER,
        NORMAL_CLEARING: CallState.CANCELLED,
        ORIGINATOR_CANCEL: CallState.CANCELLED,
        "MANAGER_REQUEST": CallState.CANCELLED,
        "LOSE_RACE": CallState.CANCELLED,
    }
)

# What has no way out at the moment, whoever is called.
NO_WAY_OUT = frozenset(
    {
        "GATEWAY_DOWN",
        "NETWORK_OUT_OF_ORDER",
        "NORMAL_CIRCUIT_CONGESTION",
        "NORMAL_TEMPORARY_FAILURE",
        "RECOVERY_ON_TIMER_EXPIRE",
        "REQUESTED_CHAN_UNAVAIL",
        "SERVICE_UNAVAILABLE",
        "SWITCH_CONGESTION",
        "SYSTEM_SHUTDOWN",
    }
)
# Of calls that were never dialled (EventKind.REFUSED): a later try may do. With the first of these
# a switch refuses what comes too fast.
WORTH_REPEATING = frozenset({"DESTINATION_OUT_OF_ORDER"}) | NO_WAY_OUT


def of_unanswered(cause: str | None) -> CallState:
    """What a call is that ended so before anybody answered."""
    return UNANSWERED.get(cause or "", CallState.FAILED)
