"""Compares the ledger's calls under way with what the switch knows of them.

Done whenever something may have gone unheard: after each connection, a takeover, an overflow, an
order whose answer did not come; and every now and then.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from functools import partial

import structlog

from stellwerk.calls import dialing
from stellwerk.calls.dialing import UnderWay
from stellwerk.errors import ProviderUnavailable
from stellwerk.jobs.runtime import Runtime
from stellwerk.providers.calls.protocol import Presence, Trace, Trunk
from stellwerk_workers.telephony.election import Lease
from stellwerk_workers.telephony.sending import AGAIN_S, Sender
from stellwerk_workers.telephony.writer import Writer

_GOES_ON = frozenset({Presence.LIVE, Presence.ENDED})  # or its end is among the trace's events

AT_ONCE = 20  # questions to the switch
ECHO_S = 1.0  # so long after a call's end its last event may still come

log = structlog.get_logger()


class Reconciliation:
    """Settles calls of which nothing more will be heard, and hears what was missed."""

    def __init__(
        self, runtime: Runtime, trunk: Trunk, lease: Lease, writer: Writer, sender: Sender
    ) -> None:
        self._runtime, self._trunk = runtime, trunk
        self._lease, self._writer, self._sender = lease, writer, sender

    async def compare(self) -> bool:
        """Ask for every call under way; whether some are still in doubt.

        What the switch does not know may have ended a moment ago, so it is looked at once more.
        """
        calls = await self._under_way()
        asked_at = self._lease.ledgers_now()
        traces = await self._traced(calls)
        await self._see(
            [call for call, trace in traces if trace.presence is Presence.LIVE], asked_at
        )
        for _, trace in traces:
            self._take_over(trace)
        unknown = {call.dial.call_id for call, trace in traces if trace.presence not in _GOES_ON}
        in_doubt = len(traces) < len(calls)
        if unknown:
            await asyncio.sleep(ECHO_S)
            left = [call for call in await self._under_way() if call.dial.call_id in unknown]
            in_doubt |= await self._settle(left)
        return in_doubt

    async def _under_way(self) -> list[UnderWay]:
        await self._writer.caught_up()
        look = partial(dialing.under_way, self._runtime, self._trunk.name)
        tried = self._sender.tried()
        calls = await asyncio.to_thread(look)
        under_way = {call.dial.call_id for call in calls}
        self._sender.forget({one: tried[one] for one in tried.keys() - under_way})
        return calls

    async def _traced(self, calls: Sequence[UnderWay]) -> list[tuple[UnderWay, Trace]]:
        """Those of which the switch says something now."""
        turns = asyncio.Semaphore(AT_ONCE)
        names = await self._names(calls)

        async def ask(call: UnderWay) -> Trace | None:
            known = names - {call.ref}
            async with turns:
                try:
                    return await self._trunk.trace(call.dial, call.ref, call.intended_at, known)
                except ProviderUnavailable as exc:
                    log.info("not known yet", call_id=str(call.dial.call_id), reason=exc.message)
                    return None

        answers = await asyncio.gather(*map(ask, calls))
        return [(call, trace) for call, trace in zip(calls, answers, strict=True) if trace]

    async def _names(self, calls: Sequence[UnderWay]) -> set[str]:
        """What can not be the name of a call that has none yet: those of all others.

        Also of such as ended before this process led, which the trunk has never heard of.
        """
        names = {call.ref for call in calls if call.ref}
        nameless = [call.intended_at for call in calls if call.ref is None]
        if not nameless:
            return names
        look = partial(dialing.names_of_ended, self._runtime, self._trunk.name, min(nameless))
        return names | await asyncio.to_thread(look)

    async def _see(self, live: Sequence[UnderWay], at: datetime) -> None:
        """Should nobody hear their ends, they are paid for until then."""
        if live:
            call_ids = [call.dial.call_id for call in live]
            await asyncio.to_thread(dialing.seen, self._runtime, call_ids, at)

    def _take_over(self, trace: Trace) -> None:
        for event in trace.events:
            self._writer.heard(event)

    async def _settle(self, unknown: Sequence[UnderWay]) -> bool:
        """Whether it is too early for some, of which an order may still be on its way."""
        too_early = False
        for call, trace in await self._traced(unknown):
            self._take_over(trace)
            if trace.presence in _GOES_ON:
                continue
            if self._is_young(call) or self._sender.may_be_giving(call.dial):
                too_early = True
            elif not self._was_sent(call):
                self._put_off(call)
            else:
                log.warning("the switch knows nothing of a call", call_id=str(call.dial.call_id))
                uncertain = partial(dialing.uncertain, self._runtime, self._trunk.name)
                await asyncio.to_thread(uncertain, call.dial.call_id)
        return too_early

    def _was_sent(self, call: UnderWay) -> bool:
        """Or may have been: of what others were to dial nobody here knows.

        That a provider lists nothing proves nothing: lists lag, clocks differ, and an order may
        still be on its way when its answer is no longer waited for.
        """
        is_ours = self._lease.covers(call.intended_at)
        return not is_ours or self._sender.has_tried(call.dial)

    def _is_young(self, call: UnderWay) -> bool:
        age_s = (self._lease.ledgers_now() - call.intended_at).total_seconds()
        return age_s < self._runtime.settings.call_settling_s

    def _put_off(self, call: UnderWay) -> None:
        after = partial(dialing.put_off, cause=None, after_s=AGAIN_S)
        self._writer.put(partial(after, self._runtime, call.dial))
