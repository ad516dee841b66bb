"""The states of a call, and which comes after which."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class CallState(StrEnum):
    """Where a call is. What ended it is its cause; a busy number is no failure of the job."""

    QUEUED = "queued"
    DIALING = "dialing"
    RINGING = "ringing"
    ANSWERED = "answered"
    COMPLETED = "completed"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED = frozenset(
    {
        CallState.COMPLETED,
        CallState.BUSY,
        CallState.NO_ANSWER,
        CallState.FAILED,
        CallState.CANCELLED,
    }
)

UNDER_WAY = frozenset({CallState.DIALING, CallState.RINGING, CallState.ANSWERED})

# How far a call has come: events may arrive in another order than they happened in, and never
# lead back. QUEUED again is for what was certainly not dialled.
PROGRESS: Mapping[CallState, int] = MappingProxyType(
    {
        CallState.QUEUED: 0,
        CallState.DIALING: 1,
        CallState.RINGING: 2,
        CallState.ANSWERED: 3,
        **dict.fromkeys(ENDED, 4),
    }
)
