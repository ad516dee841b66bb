"""Fill the queue: `python fill.py COUNT WAIT_MS`."""

import asyncio
import sys

from tasks import broker, work


async def fill(count: int, wait_ms: int) -> None:
    """One after another."""
    await broker.startup()
    for _ in range(count):
        await work.kiq(wait_ms)
    await broker.shutdown()


asyncio.run(fill(int(sys.argv[1]), int(sys.argv[2])))
