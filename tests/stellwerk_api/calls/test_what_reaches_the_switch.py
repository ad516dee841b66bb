"""What is refused over HTTP leaves nothing to dial; the rest reaches the switch as digits."""

import asyncio
from uuid import UUID

from api import ApiUser
from attempts import attempt
from called import telephonist
from calling import claim, hold_trunk
from no_numbers import NO_NUMBERS
from stellwerk.bootstrap import Platform
from stellwerk.providers.calls.freeswitch.connection import Socket
from stellwerk.providers.calls.freeswitch.dial_strings import DialPlan
from stellwerk.providers.calls.freeswitch.trunk import FreeSwitchTrunk
from stellwerk.providers.calls.protocol import Dial, Listener
from stellwerk.stack.switch.diary import Diary
from stellwerk.stack.switch.exchange import Options
from stellwerk.stack.switch.server import serving

PATIENCE_S = 60
WRITTEN, TO, FIRST = "030 / 1234-1000", "+493012341000", "+493012341010"


def test_only_numbers_reach_the_switch(ada: ApiUser, platform: Platform) -> None:
    caller = telephonist(ada)
    for text in NO_NUMBERS:
        for field in ("to", "from", "caller_id"):
            if text is not None or field == "to":
                assert caller.post("/call", {"to": TO, field: text}).status_code == 422
    body = {"to": WRITTEN, "from": FIRST, "caller_id": "(030) 1234 1000"}
    accepted = caller.post("/call", body)
    assert accepted.status_code == 202, accepted.text
    attempt(platform.runtime, UUID(accepted.get_json()["job_id"]))
    hold_trunk(platform)

    diary = asyncio.run(dialled(claim(platform)))
    assert diary.dials == {FIRST: 1}  # who is rung first; the other one once somebody answers
    (line,) = (line for line in diary.received.decode().splitlines() if "originate" in line)
    assert line.startswith("bgapi originate {^^;")
    assert line.count(TO) == 3  # shown to both, and connected
    texts = [text for text in NO_NUMBERS if isinstance(text, str) and text.strip()]
    assert [text for text in texts if text.encode() in diary.received] == []


async def dialled(dials: list[Dial]) -> Diary:
    """What the switch wrote down of having these dialled."""
    async with serving(Options(password="secret")) as switch:
        socket = Socket("127.0.0.1", switch.port, "secret")
        trunk = FreeSwitchTrunk(socket, DialPlan(), dials_per_s=10)
        connected, heard = asyncio.Event(), asyncio.Event()
        listener = Listener(heard=lambda _: heard.set(), connected=connected.set)
        running = asyncio.create_task(trunk.run(listener))
        await asyncio.wait_for(connected.wait(), PATIENCE_S)
        for dial in dials:
            await trunk.dial(dial)
        await asyncio.wait_for(heard.wait(), PATIENCE_S)
        running.cancel()
        await asyncio.wait([running])  # nothing of it outlives the event loop
        return switch.exchange.diary
