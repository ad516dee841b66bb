"""Who waits for a bell ends when that is asked for, in whichever moment."""

import asyncio

import pytest

from stellwerk_workers.telephony.term import Bell


@pytest.mark.parametrize("later", range(5))
def test_a_cancel_that_comes_with_the_ring_is_not_lost(later: int) -> None:
    """`later`: by so many turns of the loop."""

    async def listen(bell: Bell) -> None:
        while True:
            await bell.heard(60)

    async def ring_and_cancel() -> bool:
        bell = Bell()
        listening = asyncio.create_task(listen(bell))
        await asyncio.sleep(0)
        bell.ring()
        for _ in range(later):
            await asyncio.sleep(0)
        listening.cancel()
        await asyncio.wait([listening], timeout=30)
        has_ended = listening.done()
        listening.cancel()
        return has_ended

    assert asyncio.run(ring_and_cancel())


def test_it_is_heard_once_and_not_for_ever() -> None:
    async def hear_twice() -> list[bool]:
        bell, heard = Bell(), []
        bell.ring()
        for within_s in (30, 0.2):
            try:
                async with asyncio.timeout(within_s):
                    await bell.heard(60)
            except TimeoutError:
                heard.append(False)
            else:
                heard.append(True)
        return heard

    assert asyncio.run(hear_twice()) == [True, False]
