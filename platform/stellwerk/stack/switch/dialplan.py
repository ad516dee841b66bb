"""What becomes of a call, by the number that is called: the test dialplan of the recordings."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

FOR_EVER_MS = "600000"
DIGITS_OF_AN_EXTENSION = 4


@dataclass(frozen=True, slots=True)
class Step:
    """An application of the dialplan with its data."""

    app: str
    data: str = ""


def _script(*steps: str) -> tuple[Step, ...]:
    return tuple(Step(app, data) for app, _, data in (step.partition(" ") for step in steps))


EXTENSIONS: Mapping[str, tuple[Step, ...]] = MappingProxyType(
    {
        "1000": _script("answer", "sleep 3000", "hangup NORMAL_CLEARING"),
        "1001": _script("hangup USER_BUSY"),
        "1002": _script("ring_ready", f"sleep {FOR_EVER_MS}"),
        "1003": _script("hangup UNALLOCATED_NUMBER"),
        "1004": _script("hangup CALL_REJECTED"),
        "1005": _script(
            "ring_ready", "sleep 2000", "answer", "sleep 3000", "hangup NORMAL_CLEARING"
        ),
        "1006": _script(
            "pre_answer", "sleep 2000", "answer", "sleep 3000", "hangup NORMAL_CLEARING"
        ),
        "1007": _script("ring_ready", "sleep 1000", "hangup USER_BUSY"),
        "1008": _script(f"sleep {FOR_EVER_MS}"),
        "1009": _script("hangup NORMAL_CIRCUIT_CONGESTION"),
        "1010": _script("answer", f"sleep {FOR_EVER_MS}", "hangup NORMAL_CLEARING"),
        "1011": _script("ring_ready", "sleep 2000", "hangup NO_ANSWER"),
        "9196": _script("answer", "echo"),
        "9664": _script("answer", "playback tone_stream://%(400,200,400);%(400,2000,450);loops=-1"),
    }
)
NOBODY = _script("hangup NO_ROUTE_DESTINATION")
ORDINARY = EXTENSIONS["1005"]  # a number of nobody in particular rings, and is answered


def script_of(number: str) -> tuple[Step, ...]:
    """What the called side does: by the last four digits; a short number has to be known."""
    digits = re.sub(r"\D", "", number)
    known = EXTENSIONS.get(digits[-DIGITS_OF_AN_EXTENSION:])
    is_long = len(digits) > DIGITS_OF_AN_EXTENSION and number.strip("+") == digits
    if known is not None and (is_long or digits == number):
        return known
    return ORDINARY if is_long else NOBODY
