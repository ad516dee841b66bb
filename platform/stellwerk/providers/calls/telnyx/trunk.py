"""The trunk that a Call Control application of Telnyx is.

See https://developers.telnyx.com/api/call-control/dial-call.
"""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from telnyx import AsyncTelnyx

from stellwerk.errors import ProviderUnavailable
from stellwerk.providers.calls.carriers import Manner
from stellwerk.providers.calls.protocol import (
    CallEvent,
    Dial,
    EventKind,
    Listener,
    Presence,
    Trace,
    TrunkHealth,
)
from stellwerk.providers.calls.refusals import order_error, without_numbers
from stellwerk.providers.calls.rounds import Rounds, Watched
from stellwerk.providers.calls.telnyx import questions
from stellwerk.providers.calls.telnyx.client import Refused, answer
from stellwerk.providers.calls.telnyx.orders import NAME, order_of

ENDED_CODE = "90018"  # https://developers.telnyx.com/docs/overview/errors/90018


class TelnyxTrunk:
    """Dials by Call Control; events come by its webhooks, and by asking."""

    name = NAME

    def __init__(self, client: AsyncTelnyx, connection_id: str, manner: Manner) -> None:
        self.dials_per_s = manner.dials_per_s
        self._client = client
        self._connection_id = connection_id
        self._manner = manner
        self._rounds = Rounds(manner.polling())

    def refuse(self, dial: Dial) -> None:
        """Raise ProviderRejected for what Telnyx can not do."""
        order_of(dial, self._connection_id, self._manner)

    async def run(self, listener: Listener) -> None:
        """Look after the calls under way until cancelled."""

        async def look(call: Watched) -> None:
            for event in await self._present(call):
                listener.heard(event)

        listener.connected()
        await self._rounds.run(look)

    async def dial(self, dial: Dial) -> str | None:
        """Begin a call; returns its `call_control_id`."""
        asked = order_of(dial, self._connection_id, self._manner)
        try:
            begun = (await answer(self._client.calls.dial(**asked))).data
        except Refused as exc:
            reason = without_numbers(exc.reason, dial)
            raise order_error("Telnyx", exc.status, message=reason, headers=exc.headers) from None
        if begun is None:
            raise ProviderUnavailable("Telnyx's answer names no call.")
        name = str(begun.call_control_id)
        self._rounds.watch(Watched(dial.call_id, name))
        return name

    async def hang_up(self, call_id: UUID, ref: str | None) -> None:
        """End a call."""
        name = ref or self._rounds.ref(call_id)
        if name is None:
            raise ProviderUnavailable("Telnyx's name of the call is not known yet.")
        try:
            await answer(self._client.calls.actions.hangup(name))
        except Refused as exc:
            if not (exc.is_gone or ENDED_CODE in exc.reason):
                raise exc.unanswered() from None

    async def trace(
        self, dial: Dial, ref: str | None, since: datetime, known: Collection[str] = ()
    ) -> Trace:
        """What Telnyx knows; without its name the call is found by ours."""
        del known
        if ref is None:
            whereabouts = questions.Whereabouts(dial.call_id, self._connection_id, since)
            found = await questions.whereabouts(self._client, whereabouts)
            if found is None:
                return Trace(Presence.ABSENT)
            ref = found
        call = Watched(dial.call_id, ref)
        self._rounds.watch(call)
        events = await self._present(call)
        is_live = self._rounds.ref(dial.call_id) is not None
        return Trace(Presence.LIVE if is_live else Presence.ENDED, events)

    async def check(self) -> TrunkHealth:
        """Whether Telnyx answers, and the application may call."""
        question = self._client.call_control_applications.retrieve(self._connection_id)
        try:
            found = (await answer(question)).data
        except (ProviderUnavailable, Refused) as exc:
            return TrunkHealth(is_connected=False, message=str(exc))
        is_active = found is not None and bool(found.active)
        message = "" if is_active else "The Call Control application is not active."
        return TrunkHealth(is_connected=True, gateways={NAME: is_active}, message=message)

    async def _present(self, call: Watched) -> tuple[CallEvent, ...]:
        """How far a call is; one that has ended is forgotten."""
        events = await questions.events(self._client, call)
        if any(event.kind is EventKind.HUNG_UP for event in events):
            self._rounds.forget(call.call_id)
        return events
