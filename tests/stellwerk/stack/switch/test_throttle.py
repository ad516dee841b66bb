"""More calls at once than the switch takes in a second fail there as they were recorded to fail."""

import asyncio
import time
from collections import Counter

import pytest

from raw_switch import Frames, connected
from recordings import received, sent
from stellwerk.stack.switch.exchange import Options
from stellwerk.stack.switch.server import serving

BURSTS = ("22_throttle_sessions_per_second", "22b_throttle_sip")
OPTIONS = Options(password="ClueCon", speed=20)
LIMIT = 30
SESSIONS_OF_A_CALL = 2
REFUSED = "-ERR DESTINATION_OUT_OF_ORDER\n"


def results(frames: Frames) -> Counter[str]:
    """How many calls were begun, and how many refused for which reason."""
    events = [frame.event for frame in frames.found if frame.kind.startswith("text/event")]
    bodies = [event["_body"] for event in events if event["Event-Name"] == "BACKGROUND_JOB"]
    return Counter("+OK" if body.startswith("+OK") else body for body in bodies)


@pytest.mark.parametrize("name", BURSTS)
def test_what_is_above_the_limit_is_refused_without_a_channel(name: str) -> None:
    burst = next(line for line in sent(name) if line.count(b"originate") > LIMIT)
    calls = burst.count(b"bgapi originate")
    real = Frames()
    real.feed(b"".join(received(name)))

    async def scene() -> tuple[Frames, int, int]:
        async with serving(OPTIONS) as switch, connected(switch.port, "ClueCon") as client:
            await client.answer("event plain BACKGROUND_JOB CHANNEL_HANGUP_COMPLETE")
            client.send(burst)
            began = int(time.monotonic())
            for _ in range(calls):
                await client.event("BACKGROUND_JOB")
            dials = sum(switch.exchange.diary.dials.values())
            return client.frames, dials, int(time.monotonic()) - began + 1

    # A burst falls into two seconds at most, but for a machine that stood still under it.
    frames, dials, touched = asyncio.run(scene())
    for found, seconds in ((results(frames), max(2, touched)), (results(real), 2)):
        assert found.total() == calls
        assert 0 < found["+OK"] <= seconds * LIMIT // SESSIONS_OF_A_CALL
        assert found[REFUSED] >= calls - seconds * (LIMIT + 1) // SESSIONS_OF_A_CALL
    assert dials <= calls - results(frames)[REFUSED]
