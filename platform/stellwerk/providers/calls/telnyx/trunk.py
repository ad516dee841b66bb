"""The trunk that a Call Control application of Telnyx is.

See https://developers.telnyx.com/api/call-control/dial-call.
"""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from telnyx import AsyncTelnyx

from stellwerk.errors import ProviderUnavailable
from stellwerk.providers.calls.carriers import Manner, require_settled
from stellwerk.providers.calls.protocol import (
    CallEvent,
    Dial,
    Listener,
    Presence,
    Trace,
    TrunkHealth,
)
from stellwerk.providers.calls.refusals import order_error, without_numbers
from stellwerk.providers.calls.rounds import Rounds, Watched
from stellwerk.providers.calls.telnyx import questions
from stellwerk.providers.calls.telnyx.causes import End, second_began, state_of
from stellwerk.providers.calls.telnyx.client import Refused, answer
from stellwerk.providers.calls.telnyx.orders import NAME, order_of, transfer_of
from stellwerk.providers.calls.telnyx.questions import Seen

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
            for event in (await self._seen(call)).events:
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
        self._rounds.watch(_watched(dial, name))
        return name

    async def bridge(self, dial: Dial, ref: str) -> CallEvent:
        """Transfer who answered to `to`; see `Bridges`."""
        asked = transfer_of(dial, self._manner)
        try:
            await answer(self._client.calls.actions.transfer(ref, **asked))
        except Refused as exc:
            reason = without_numbers(exc.reason, dial)
            raise order_error("Telnyx", exc.status, message=reason, headers=exc.headers) from None
        return second_began(dial.call_id)

    async def hang_up(self, call_id: UUID, ref: str | None) -> None:
        """End a call; of one whose first leg has ended, the second."""
        name = ref or self._rounds.ref(call_id)
        if name is None:
            raise ProviderUnavailable("Telnyx's name of the call is not known yet.")
        watched = self._rounds.watched(call_id)
        if await self._end(name) or watched is None or not watched.has_two_legs:
            return
        second = await questions.second_ref(self._client, watched)
        if second is not None:
            await self._end(second)

    async def trace(
        self, dial: Dial, ref: str | None, since: datetime, known: Collection[str] = ()
    ) -> Trace:
        """What Telnyx knows; without its name the call is found by ours."""
        del known
        if ref is None:
            state = state_of(dial.call_id, End.ONLY if dial.first is None else End.FIRST)
            whereabouts = questions.Whereabouts(state, self._connection_id, since)
            found = await questions.whereabouts(self._client, whereabouts)
            if found is None:
                return Trace(Presence.ABSENT)
            ref = found
        call = _watched(dial, ref)
        self._rounds.watch(call)
        seen = await self._seen(call)
        if seen.first_ended_at is not None:
            require_settled(seen.first_ended_at)
        return Trace(seen.presence, seen.events)

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

    async def _end(self, name: str) -> bool:
        """False where it had ended."""
        try:
            await answer(self._client.calls.actions.hangup(name))
        except Refused as exc:
            if not (exc.is_gone or ENDED_CODE in exc.reason):
                raise exc.unanswered() from None
            return False
        return True

    async def _seen(self, call: Watched) -> Seen:
        """How far a call is; one that has ended is forgotten."""
        seen = await questions.look(self._client, call)
        if seen.presence is not Presence.LIVE:
            self._rounds.forget(call.call_id)
        return seen


def _watched(dial: Dial, ref: str) -> Watched:
    return Watched(dial.call_id, ref, has_two_legs=dial.first is not None)
