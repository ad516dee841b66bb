"""Calls that go as a recorded one did, through the trunk under test."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid5

from listening import Heard, listening, until
from recordings import received, sent
from replay import Replay, replaying
from stellwerk.providers.calls.freeswitch.connection import Socket
from stellwerk.providers.calls.freeswitch.dial_strings import DialPlan, job_of
from stellwerk.providers.calls.freeswitch.supervision import Patience
from stellwerk.providers.calls.freeswitch.trunk import FreeSwitchTrunk
from stellwerk.providers.calls.protocol import Dial

CALL = UUID("019aad7e-5c5c-7d0e-9c3d-0a1b2c3d4e5f")
_RESULT = r"\nJob-UUID: ([0-9a-f-]{36})\n(?:Job-.*\n)*Content-Length: \d+\n\n(.*)\n"
DIAL = Dial(CALL, to="+493012341005")


def socket_at(port: int, timeout_s: float = 30) -> Socket:
    """The switch on this machine, with the recordings' password."""
    return Socket("127.0.0.1", port, "ClueCon", timeout_s)


def trunk_at(port: int, *, timeout_s: float = 30, **patience: float) -> FreeSwitchTrunk:
    """A trunk of a switch on this machine that tries again at once."""
    chosen: dict[str, float] = {"first_retry_s": 0.01, "longest_retry_s": 0.05} | patience
    socket = socket_at(port, timeout_s)
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


async def settled(trunk: FreeSwitchTrunk) -> None:
    """Wait until the trunk has nothing left to find out about calls whose jobs failed."""
    while tasks := set(trunk._tasks):  # noqa: SLF001  there is nothing else to wait for
        await asyncio.wait(tasks)


async def settled_after_a_job(trunk: FreeSwitchTrunk) -> None:
    """Wait until the trunk heard of a job that failed, and then as `settled`."""
    await until(lambda: trunk._tasks)  # noqa: SLF001  the same
    await settled(trunk)


def whole_id(name: str, start: str) -> str:
    """An id of the recording by its first digits."""
    stream = b"".join(received(name)).decode(errors="replace")
    return stream[stream.index(start) :][:36]


def all_ids(name: str) -> tuple[dict[str, str], list[UUID], list[str]]:
    """The ids of all calls of a recording, those of ours, and how the switch's jobs came out.

    In the order of the commands, since their replies come so.
    """
    stream = b"".join(received(name)).decode(errors="replace")
    jobs = re.findall(r"\+OK Job-UUID: ([0-9a-f-]{36})", stream)
    results = dict(re.findall(_RESULT, stream))
    calls = [uuid5(CALL, job) for job in jobs]
    ids = {job: str(job_of(call)) for job, call in zip(jobs, calls, strict=True)}
    ids |= {
        results[job].removeprefix("+OK "): str(call)
        for job, call in zip(jobs, calls, strict=True)
        if results[job].startswith("+OK ")
    }
    return ids, calls, [results[job] for job in jobs]
