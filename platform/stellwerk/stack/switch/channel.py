"""A channel: one end of a call, and the headers that its events carry."""

import asyncio
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

STATE_NUMBERS = {
    "CS_NONE": 0,
    "CS_INIT": 2,
    "CS_ROUTING": 3,
    "CS_EXECUTE": 4,
    "CS_EXCHANGE_MEDIA": 5,
    "CS_CONSUME_MEDIA": 7,
    "CS_HANGUP": 10,
    "CS_REPORTING": 11,
}
# ITU-T Q.850; what FreeSWITCH adds of its own has a number that no other switch is told.
Q850 = {
    "UNALLOCATED_NUMBER": 1,
    "NO_ROUTE_DESTINATION": 3,
    "NORMAL_CLEARING": 16,
    "USER_BUSY": 17,
    "NO_USER_RESPONSE": 18,
    "NO_ANSWER": 19,
    "CALL_REJECTED": 21,
    "DESTINATION_OUT_OF_ORDER": 27,
    "NORMAL_CIRCUIT_CONGESTION": 34,
    "NORMAL_TEMPORARY_FAILURE": 41,
}
OWN_CAUSES = {
    "ORIGINATOR_CANCEL": 487,
    "SYSTEM_SHUTDOWN": 501,
    "MANAGER_REQUEST": 503,
    "ALLOTTED_TIMEOUT": 602,
}
TIMES = (
    "Created",
    "Answered",
    "Progress",
    "Progress-Media",
    "Hangup",
    "Transfer",
    "Resurrect",
    "Bridged",
)
CODECS = {"loopback": ("L16", "128000"), "sofia": ("PCMU", "64000")}
NOBODY = "0000000000"  # the caller's number where none is given


def microseconds() -> int:
    """The wall clock, as events show it."""
    return time.time_ns() // 1000


@dataclass(slots=True, eq=False)
class Channel:
    """Mutable: its life changes it, and each event shows it as it is then."""

    name: str
    number: str  # that was dialled
    is_outbound: bool
    context: str = "default"
    unique_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    session_id: int = 0
    variables: dict[str, str] = field(default_factory=dict)
    state: str = "CS_INIT"
    call_state: str = "DOWN"
    answer_state: str = "ringing"
    cause: str = ""
    app: str = ""
    app_data: str = ""
    times: dict[str, int] = field(default_factory=lambda: {"Created": microseconds()})
    created: asyncio.Event = field(default_factory=asyncio.Event)  # its first event went out
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    media: asyncio.Event = field(default_factory=asyncio.Event)  # early, or by an answer
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)
    completed: asyncio.Event = field(default_factory=asyncio.Event)
    idle: asyncio.Event = field(default_factory=asyncio.Event)  # no application runs
    _running: int = 0

    def __post_init__(self) -> None:
        self.idle.set()

    @contextmanager
    def working(self) -> Iterator[None]:
        """An application runs: the channel's end is not told before the application's."""
        self._running += 1
        self.idle.clear()
        try:
            yield
        finally:
            self._running -= 1
            if not self._running:
                self.idle.set()

    @property
    def technology(self) -> str:
        """Either sofia or loopback."""
        return self.name.partition("/")[0]

    @property
    def caller(self) -> str:
        """The number that the called side is shown."""
        return self.variables.get("origination_caller_id_number", NOBODY)

    @property
    def caller_name(self) -> str:
        """As shown; of a leg that another one dials, that one's number."""
        instead = self.caller if "originator" in self.variables else ""
        return self.variables.get("origination_caller_id_name", instead)

    def headers(self) -> Iterator[tuple[str, str]]:
        """All of its headers as of now, in the real one's order."""
        yield from self._state()
        yield from self._profile()
        yield from ((f"variable_{name}", value) for name, value in self._variables().items())

    def _state(self) -> Iterator[tuple[str, str]]:
        direction = "outbound" if self.is_outbound else "inbound"
        yield "Channel-State", self.state
        yield "Channel-Call-State", self.call_state
        yield "Channel-State-Number", str(STATE_NUMBERS[self.state])
        yield "Channel-Name", self.name
        yield "Unique-ID", self.unique_id
        yield "Call-Direction", direction
        yield "Presence-Call-Direction", direction
        yield "Channel-HIT-Dialplan", "false" if self.is_outbound else "true"
        yield "Channel-Call-UUID", self.unique_id
        yield "Answer-State", self.answer_state
        if self.cause:
            yield "Hangup-Cause", self.cause
        codec, bits = CODECS.get(self.technology, CODECS["sofia"])
        for way in ("Read", "Write"):
            yield f"Channel-{way}-Codec-Name", codec
            yield f"Channel-{way}-Codec-Rate", "8000"
            yield f"Channel-{way}-Codec-Bit-Rate", bits

    def _profile(self) -> Iterator[tuple[str, str]]:
        direction = "outbound" if self.is_outbound else "inbound"
        yield "Caller-Direction", direction
        yield "Caller-Logical-Direction", direction
        if self.caller_name:
            yield "Caller-Caller-ID-Name", self.caller_name
        yield "Caller-Caller-ID-Number", self.caller
        yield "Caller-Callee-ID-Name", "Outbound Call"
        yield "Caller-Callee-ID-Number", self.number
        yield "Caller-ANI", self.caller
        yield "Caller-Destination-Number", self.number
        yield "Caller-Unique-ID", self.unique_id
        yield "Caller-Source", f"mod_{self.technology}"
        yield "Caller-Context", self.context
        yield "Caller-Channel-Name", self.name
        yield "Caller-Profile-Created-Time", str(self.times["Created"])
        for what in TIMES:
            yield f"Caller-Channel-{what}-Time", str(self.times.get(what, 0))

    def _variables(self) -> dict[str, str]:
        own = {
            "direction": "outbound" if self.is_outbound else "inbound",
            "uuid": self.unique_id,
            "session_id": str(self.session_id),
            "channel_name": self.name,
            "call_uuid": self.unique_id,
        }
        last = {"current_application": self.app} if self.app else {}
        return own | self.variables | last

    def close(self, speed: float) -> None:
        """Set the variables that a channel has at its end; durations are of simulated time."""
        end, start = self.times["Hangup"], self.times["Created"]
        answer = self.times.get("Answered", 0)
        total_us = int((end - start) * speed)
        billed_us = int((end - answer) * speed) if answer else 0
        self.variables |= {
            "hangup_cause": self.cause,
            "hangup_cause_q850": str(Q850.get(self.cause, 0)),
            "start_stamp": stamp(start),
            "end_stamp": stamp(end),
            "start_epoch": str(start // 1_000_000),
            "start_uepoch": str(start),
            "answer_epoch": str(answer // 1_000_000),
            "answer_uepoch": str(answer),
            "end_epoch": str(end // 1_000_000),
            "end_uepoch": str(end),
            "last_app": self.app,
            "duration": str(total_us // 1_000_000),
            "billsec": str(billed_us // 1_000_000),
            "mduration": str(total_us // 1000),
            "billmsec": str(billed_us // 1000),
            "answermsec": str((total_us - billed_us) // 1000 if answer else 0),
        }


def stamp(moment_us: int) -> str:
    """A time as events and lists show it."""
    return f"{datetime.fromtimestamp(moment_us / 1_000_000, UTC):%Y-%m-%d %H:%M:%S}"
