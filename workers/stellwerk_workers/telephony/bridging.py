"""Has `to` dialled once `from` answered, at trunks that do not do so by themselves."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import structlog

from stellwerk.calls import bridging, dialing
from stellwerk.calls.bridging import Bridge
from stellwerk.errors import ProviderDeferred, ProviderError, ProviderRejected
from stellwerk.jobs.runtime import Runtime
from stellwerk.providers.calls.protocol import Bridges, Trunk
from stellwerk_workers.telephony.election import Lease
from stellwerk_workers.telephony.sending import AGAIN_S, LATE, MARGIN_S, PROMPT_S
from stellwerk_workers.telephony.writer import Writer

AT_ONCE = 10  # orders by one look
PAUSE_AT_MOST_S = 5.0  # of who was turned away, while somebody waits at the telephone

log = structlog.get_logger()


class Bridger:
    """`doubted` is called where nobody can tell whether an order was taken."""

    def __init__(
        self,
        runtime: Runtime,
        trunk: Trunk,
        lease: Lease,
        writer: Writer,
        *,
        doubted: Callable[[], None],
    ) -> None:
        self._runtime, self._name = runtime, trunk.name
        self._trunk = trunk if isinstance(trunk, Bridges) else None
        self._lease, self._writer, self._doubted = lease, writer, doubted
        self._under_way: set[asyncio.Task[object]] = set()

    async def bridge_due(self) -> None:
        """Have `to` dialled where that is due, and settle what was not heard of.

        Raises SQLAlchemyError.
        """
        if self._trunk is None:
            return
        if self._lease.leaves(PROMPT_S + MARGIN_S):
            await asyncio.shield(self._begin(self._claim_and_begin(self._trunk)))
        lost = await asyncio.to_thread(bridging.unheard, self._runtime, self._name)
        for call_id in lost:
            log.warning("nothing was heard of who was to be connected", call_id=str(call_id))
            await asyncio.to_thread(dialing.uncertain, self._runtime, self._name, call_id)

    async def sent(self, timeout_s: float) -> None:
        """Returns when every order has been answered, or when the time is over."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=timeout_s)

    async def _claim_and_begin(self, trunk: Bridges) -> None:
        asked_at = time.monotonic()
        claim = partial(bridging.claim, self._runtime, self._name, self._lease.fence)
        for bridge in await asyncio.to_thread(claim, AT_ONCE):
            self._begin(self._give(trunk, bridge, asked_at))

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def _give(self, trunk: Bridges, bridge: Bridge, asked_at: float) -> None:
        dial = bridge.dial
        if not dial.to:
            self._writer.heard(bridging.refusal(bridge))
            return
        if not self._lease.leaves(MARGIN_S) or time.monotonic() - asked_at > PROMPT_S:
            await self._put_off(bridge, 0, LATE)
            return
        try:
            began = await trunk.bridge(dial, bridge.ref)
        except ProviderDeferred as exc:
            await self._put_off(bridge, exc.retry_after_s or AGAIN_S, exc.message)
        except ProviderRejected as exc:
            log.warning("not connected", call_id=str(dial.call_id), reason=exc.message)
            self._writer.heard(bridging.refusal(bridge))
        except ProviderError as exc:
            log.warning("connected perhaps", call_id=str(dial.call_id), reason=exc.message)
            self._doubted()
        except Exception:  # a fault of ours must not keep the others from being connected
            log.exception("nobody can tell whether this was connected", call_id=str(dial.call_id))
            self._doubted()
        else:
            self._writer.heard(began)

    async def _put_off(self, bridge: Bridge, after_s: float, reason: str) -> None:
        log.warning("not connected yet", call_id=str(bridge.dial.call_id), reason=reason)
        await asyncio.sleep(min(after_s, PAUSE_AT_MOST_S))
        self._writer.put(partial(dialing.not_bridged, self._runtime, bridge.dial))
