"""The switches that a trunk is tried on: the simulator, and a real one where one is named."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from cable import Cable, cable_to
from listening import Heard, listening
from raw_switch import RawClient, connected
from stellwerk.providers.calls.freeswitch.connection import Socket
from stellwerk.providers.calls.freeswitch.dial_strings import DialPlan
from stellwerk.providers.calls.freeswitch.supervision import Patience
from stellwerk.providers.calls.freeswitch.trunk import FreeSwitchTrunk
from stellwerk.providers.calls.protocol import Dial
from stellwerk.settings import environment
from stellwerk.stack.switch.exchange import Exchange, Options
from stellwerk.stack.switch.server import serving

SIMULATOR, REAL = "simulator", "real"
NAMED = environment().get("STELLWERK_TEST_ESL", "")  # host:port:password of a real switch
MAY_SHUT_DOWN = environment().get("STELLWERK_TEST_ESL_MAY_SHUT_DOWN", "")
KINDS = (SIMULATOR, REAL) if NAMED else (SIMULATOR,)
SPEED = 10
AT_ONCE = Patience(first_retry_s=0.05, longest_retry_s=0.2)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a switch is; what a simulator has inside can be looked at too."""

    host: str
    port: int
    password: str = field(repr=False)
    exchange: Exchange | None = None
    speed: int = 1

    def another_client(self) -> AbstractAsyncContextManager[RawClient]:
        """Somebody else who is let in."""
        return connected(self.port, self.password, self.host)

    def dials(self, number: str) -> int:
        """How often a number was dialled, as counted at the switch; a real one is trusted."""
        return self.exchange.diary.dials.get(number, 0) if self.exchange else 1


@dataclass(frozen=True, slots=True)
class Setting:
    """A trunk that listens, on a switch, over a cable."""

    place: Place
    cable: Cable
    trunk: FreeSwitchTrunk
    heard: Heard


@asynccontextmanager
async def switch(kind: str) -> AsyncIterator[Place]:
    """One of the two."""
    if kind == REAL:
        host, port, password = NAMED.split(":", 2)
        yield Place(host, int(port), password)
        return
    async with serving(Options(password="ClueCon", speed=SPEED)) as server:
        yield Place("127.0.0.1", server.port, "ClueCon", server.exchange, SPEED)


@asynccontextmanager
async def trunk_on(kind: str, gateway: str = "trunk") -> AsyncIterator[Setting]:
    """A trunk that is connected and listens."""
    async with switch(kind) as place, cable_to(place.host, place.port) as cable:
        socket = Socket("127.0.0.1", cable.port, place.password)
        trunk = FreeSwitchTrunk(socket, DialPlan(gateway), dials_per_s=10, patience=AT_ONCE)
        async with listening(trunk) as heard:
            yield Setting(place, cable, trunk, heard)


def number(extension: int) -> str:
    """A number whose last four digits are an extension of the test dialplan."""
    return f"+49301234{extension}"


def dial(extension: int, *, first: int | None = None, max_duration_s: int = 3600) -> Dial:
    """A call of its own to an extension, which may ring for five seconds."""
    return Dial(
        call_id=uuid4(),
        to=number(extension),
        first=None if first is None else number(first),
        ring_timeout_s=5,
        max_duration_s=max_duration_s,
    )


def ended_calls(heard: Heard) -> dict[UUID, str]:
    """Causes of the calls that ended or were refused."""
    ends = [event for event in heard.events if event.kind in {"hung_up", "refused"}]
    return {event.call_id: event.cause or "" for event in ends}
