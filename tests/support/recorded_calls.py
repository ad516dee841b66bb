"""Calls that go as a recorded one did, through the trunk under test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from listening import Heard, listening
from recordings import received, sent
from replay import Replay, replaying
from stellwerk.providers.calls.freeswitch.connection import Socket
from stellwerk.providers.calls.freeswitch.dial_strings import DialPlan, job_of
from stellwerk.providers.calls.freeswitch.supervision import Patience
from stellwerk.providers.calls.freeswitch.trunk import FreeSwitchTrunk
from stellwerk.providers.calls.protocol import Dial

CALL = UUID("019aad7e-5c5c-7d0e-9c3d-0a1b2c3d4e5f")
DIAL = Dial(CALL, to="+493012341005")


def trunk_at(port: int, *, timeout_s: float = 5, **patience: float) -> FreeSwitchTrunk:
    """A trunk of a switch on this machine that tries again at once."""
    chosen: dict[str, float] = {"first_retry_s": 0.01, "longest_retry_s": 0.05} | patience
    socket = Socket("127.0.0.1", port, "ClueCon", timeout_s)
    return FreeSwitchTrunk(socket, DialPlan(), dials_per_s=10, patience=Patience(**chosen))


def ids_of(name: str, call_id: UUID = CALL) -> dict[str, str]:
    """The ids of the recording's first call, and those of ours."""
    originate = next(line for line in sent(name) if b"originate" in line).decode()
    replies = b"".join(received(name)).decode(errors="replace")
    recorded = {
        originate.partition("origination_uuid=")[2][:36]: str(call_id),
        replies.partition("+OK Job-UUID: ")[2][:36]: str(job_of(call_id)),
    }
    recorded.pop("", None)
    return recorded


@asynccontextmanager
async def dialled(
    name: str, dial: Dial = DIAL, **given: Any
) -> AsyncIterator[tuple[Heard, FreeSwitchTrunk, Replay]]:
    """A call that goes as the recorded one did."""
    async with replaying(name, ids=ids_of(name, dial.call_id), **given) as switch:
        trunk = trunk_at(switch.port)
        async with listening(trunk) as heard:
            await trunk.dial(dial)
            yield heard, trunk, switch
