"""The trunk that a FreeSWITCH is: dials over it, and hears what becomes of the calls."""

import asyncio
from collections.abc import Collection, Coroutine, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import structlog

from stellwerk.errors import ProviderDeferred, ProviderUnavailable
from stellwerk.providers.calls.freeswitch import events
from stellwerk.providers.calls.freeswitch.calls import KnownCalls
from stellwerk.providers.calls.freeswitch.connection import Socket
from stellwerk.providers.calls.freeswitch.dial_strings import (
    DialPlan,
    leg_of,
    originate,
    second_leg,
)
from stellwerk.providers.calls.freeswitch.events import Channel, JobResult
from stellwerk.providers.calls.freeswitch.framing import Event
from stellwerk.providers.calls.freeswitch.gateways import is_up
from stellwerk.providers.calls.freeswitch.supervision import Patience, Supervision
from stellwerk.providers.calls.protocol import (
    CallEvent,
    Dial,
    EventKind,
    Leg,
    Listener,
    Presence,
    Trace,
    TrunkHealth,
)

# How long after its failed job a channel's own events may still come: over loopback they do.
_SETTLING_S = 0.5
_log = structlog.get_logger(__name__)


class FreeSwitchTrunk:
    """One switch, over one connection; `run` keeps it."""

    name = "freeswitch"

    def __init__(
        self,
        socket: Socket,
        plan: DialPlan,
        *,
        dials_per_s: float,
        patience: Patience | None = None,
    ) -> None:
        self.dials_per_s = dials_per_s
        self._plan = plan
        self._switch = Supervision(socket, events.SUBSCRIBED, patience)
        self._calls = KnownCalls()
        self._listener: Listener | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def refuse(self, dial: Dial) -> None:
        """Raise ProviderRejected for what must not reach a switch."""
        originate(dial, self._plan)

    async def run(self, listener: Listener) -> None:
        """Keep the connection and tell what happens, reconnecting by itself, until cancelled."""
        self._listener = listener
        try:
            await self._switch.run(self._hear, listener.connected)
        finally:
            for task in self._tasks:
                task.cancel()

    async def dial(self, dial: Dial) -> str | None:
        """Begin a call; returns the Job-UUID under which the switch works on it."""
        lines = originate(dial, self._plan)
        self._calls.dialled(dial, self._switch.generation)
        try:
            reply = (await self._switch.command(*lines)).text
        except ProviderDeferred:
            self._calls.forget(dial.call_id)
            raise
        if not reply.startswith("+OK Job-UUID: "):
            self._calls.forget(dial.call_id)
            raise ProviderDeferred("The switch does not take the command to dial.")
        return reply.removeprefix("+OK Job-UUID: ").strip()

    async def hang_up(self, call_id: UUID, ref: str | None) -> None:
        """End both legs; one that the switch is only about to make is ended once it is there."""
        del ref
        self._calls.doom(call_id)
        if not await self._kill(call_id):
            await self._kill(second_leg(call_id))

    async def trace(
        self, dial: Dial, ref: str | None, since: datetime, known: Collection[str] = ()
    ) -> Trace:
        """Live with all its stages, or absent: a switch keeps nothing of calls that ended."""
        del ref, since, known
        call_id = dial.call_id
        told: list[CallEvent] = []
        is_live = await self._look(call_id, Channel(call_id, leg_of(dial)), told)
        if dial.first is not None:
            second = Channel(call_id, Leg.TO)
            is_live = await self._look(second_leg(call_id), second, told) or is_live
        if is_live:
            return Trace(Presence.LIVE, tuple(told))
        call = self._calls.call(call_id)
        if call is not None and call.generation != self._switch.generation:
            self._calls.forget(call_id)
        return Trace(Presence.ABSENT)

    async def check(self) -> TrunkHealth:
        """Whether the switch answers, and its gateway takes calls."""
        try:
            gateways = await self._gateways()
            is_simulated = "simulator" in await self._switch.api("version")
        except ProviderUnavailable as exc:
            return TrunkHealth(is_connected=False, message=self._switch.trouble or str(exc))
        down = ", ".join(name for name, is_usable in gateways.items() if not is_usable)
        message = f"The gateway {down} takes no calls." if down else ""
        return TrunkHealth(
            is_connected=True, gateways=gateways, message=message, is_simulated=is_simulated
        )

    async def _gateways(self) -> Mapping[str, bool]:
        if self._plan.template:
            await self._switch.api("strepoch")
            return {}
        answer = await self._switch.api(f"sofia status gateway {self._plan.gateway}")
        return {self._plan.gateway: is_up(answer)}

    async def _kill(self, channel: UUID) -> bool:
        return (await self._switch.api(f"uuid_kill {channel}")).startswith("+OK")

    async def _exists(self, channel: UUID) -> bool:
        return (await self._switch.api(f"uuid_exists {channel}")).strip() == "true"

    async def _look(self, unique_id: UUID, channel: Channel, told: list[CallEvent]) -> bool:
        """Whether a leg is alive; what it has been through is added to `told`."""
        dump = await self._dump(unique_id)
        if not dump:
            return False
        self._calls.seen(unique_id, channel)
        told += events.stages(dump, channel)
        return True

    async def _dump(self, channel: UUID) -> dict[str, Any]:
        answer = await self._switch.api(f"uuid_dump {channel} json")
        if answer.startswith("-ERR"):
            return {}
        try:
            dump = orjson.loads(answer)
        except orjson.JSONDecodeError as exc:
            raise ProviderUnavailable("The switch's dump of a channel is no JSON.") from exc
        return dump if isinstance(dump, dict) else {}

    def _hear(self, event: Event) -> None:
        if event.name == "BACKGROUND_JOB":
            job = events.job_id(event)
            call_id = None if job is None else self._calls.of_job(job)
            result = events.job_result(event, call_id)
            if result is not None:
                self._hear_job(result)
        elif event.name in events.KINDS:
            self._hear_channel(event)

    def _hear_channel(self, event: Event) -> None:
        unique_id = events.unique_id_of(event.headers)
        channel = self._whose(unique_id, event.headers)
        if unique_id is None or channel is None or self._listener is None:
            return
        told = events.call_event(event, channel)
        call = self._calls.seen(unique_id, channel)
        if call.is_doomed:
            call.is_doomed = False
            self._later(self._hang_up_after_all(channel.call_id))
        if told.kind is EventKind.HUNG_UP:
            self._calls.ended(unique_id, channel.call_id)
        self._listener.heard(told)

    def _whose(self, unique_id: UUID | None, headers: Mapping[str, str]) -> Channel | None:
        if unique_id is None:
            return None
        return events.channel_of(headers) or self._calls.channel(unique_id)

    def _hear_job(self, result: JobResult) -> None:
        if result.cause:
            self._later(self._settle(result))
        elif result.channel is not None and result.channel != result.call_id:
            # The id was in use, so the switch made a channel under another one: not our call.
            _log.error("esl.another_channel", call_id=str(result.call_id))
            self._later(self._hang_up_after_all(result.channel))

    async def _settle(self, result: JobResult) -> None:
        """Tell the end of a call whose job failed, unless its channel does so or is another's.

        Refused is only what certainly had no channel: by its cause, and since its events could be
        heard all the time.
        """
        await asyncio.sleep(_SETTLING_S)
        call = self._calls.call(result.call_id)
        generation = self._switch.generation
        if self._listener is None or (call is not None and call.has_channel):
            return
        try:
            if await self._exists(result.call_id):
                return
        except ProviderUnavailable:
            return
        was_heard = call is not None and call.generation == generation == self._switch.generation
        is_refused = was_heard and result.cause in events.WITHOUT_CHANNEL
        kind = EventKind.REFUSED if is_refused else EventKind.HUNG_UP
        self._calls.forget(result.call_id)
        self._listener.heard(events.end_by_job(result, kind))

    async def _hang_up_after_all(self, channel: UUID) -> None:
        try:
            await self._kill(channel)
        except ProviderUnavailable:
            _log.warning("esl.not_hung_up", channel=str(channel))

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
