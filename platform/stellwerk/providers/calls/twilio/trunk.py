"""The trunk that an account of Twilio is.

See https://www.twilio.com/docs/voice/api/call-resource. Twilio knows no idempotency key, so that
what became of an order without an answer is found by its numbers and its time.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from twilio.rest import Client

from stellwerk.errors import ProviderUnavailable
from stellwerk.providers.calls.carriers import ACCURACY_S, SETTLED_S, Manner, require_settled
from stellwerk.providers.calls.protocol import (
    CallEvent,
    Dial,
    Leg,
    Listener,
    Presence,
    Trace,
    TrunkHealth,
)
from stellwerk.providers.calls.refusals import order_error, without_numbers
from stellwerk.providers.calls.rounds import Rounds, Watched
from stellwerk.providers.calls.twilio.client import NoAnswer, Refused, TwilioAccount
from stellwerk.providers.calls.twilio.orders import NAME, order_of
from stellwerk.providers.calls.twilio.statuses import ENDS, Told, events_of, now, seconds_of

GONE = 404
NOT_IN_PROGRESS = 21220  # https://www.twilio.com/docs/api/errors/21220
LISTED = 100  # calls to one number, the newest first
LEGS = 5


class TwilioTrunk:
    """Dials by Twilio's API; events come by its callbacks, and by asking."""

    name = NAME

    def __init__(self, account: TwilioAccount, manner: Manner) -> None:
        self.dials_per_s = manner.dials_per_s
        self._account = account
        self._manner = manner
        self._rounds = Rounds(manner.polling())
        self._giving: dict[UUID, str] = {}  # numbers of orders on their way

    def refuse(self, dial: Dial) -> None:
        """Raise ProviderRejected for what Twilio can not do."""
        order_of(dial, self._manner)

    async def run(self, listener: Listener) -> None:
        """Look after the calls under way until cancelled."""

        async def look(call: Watched) -> None:
            for event in await self._present(call):
                listener.heard(event)

        listener.connected()
        await self._rounds.run(look)

    async def dial(self, dial: Dial) -> str | None:
        """Begin a call; returns its SID."""
        asked = order_of(dial, self._manner)
        self._giving[dial.call_id] = _number(dial)
        try:
            call = await self._account.order(lambda client: client.calls.create(**asked))
        except Refused as exc:
            reason = without_numbers(exc.reason, dial)
            raise order_error("Twilio", exc.status, message=reason, headers=exc.headers) from None
        finally:
            del self._giving[dial.call_id]
        self._rounds.watch(_watched(dial, str(call.sid)))
        return str(call.sid)

    async def hang_up(self, call_id: UUID, ref: str | None) -> None:
        """End a call, with both its legs."""
        sid = ref or self._rounds.ref(call_id)
        if sid is None:
            raise ProviderUnavailable("Twilio's name of the call is not known yet.")
        try:
            await self._account.ask(lambda client: client.calls(sid).update(status="completed"))
        except Refused as exc:
            if exc.status != GONE and exc.code != NOT_IN_PROGRESS:
                raise exc.unanswered() from None
        except NoAnswer as exc:
            raise ProviderUnavailable(str(exc)) from None

    async def trace(
        self, dial: Dial, ref: str | None, since: datetime, known: Collection[str] = ()
    ) -> Trace:
        """What Twilio knows; without its name the one call that fits is taken for it."""
        if ref is None:
            if not _number(dial):
                return Trace(Presence.ABSENT)  # without a number Twilio lists everybody's calls
            listed = await self._calls(dial, since)
            ours = self._ours(dial, listed, known)  # what is others' is looked up after asking
            if not ours:
                require_settled(since)
            if len(ours) != 1:
                return Trace(Presence.ABSENT)
            ref = ours[0]
        self._rounds.watch(_watched(dial, ref))  # and it is ours before anybody else asks
        events = await self._present(_watched(dial, ref))
        is_live = self._rounds.ref(dial.call_id) is not None
        return Trace(Presence.LIVE if is_live else Presence.ENDED, events)

    def _ours(self, dial: Dial, listed: Sequence[Any], known: Collection[str]) -> list[str]:
        """Those of these calls that may be this one."""
        if _number(dial) in self._giving.values():
            raise ProviderUnavailable("The number is being dialled.", retry_after_s=1)
        others = {*known, *self._rounds.refs_of_others(dial.call_id)}
        shown = self._manner.caller_of(dial)
        found = [str(call.sid) for call in listed if call._from == shown]  # noqa: SLF001  `from`
        return [sid for sid in found if sid not in others]

    async def check(self) -> TrunkHealth:
        """Whether Twilio answers, and the account may call."""
        try:
            account = await self._account.ask(_account)
        except (NoAnswer, Refused) as exc:
            return TrunkHealth(is_connected=False, message=without_numbers(str(exc)))
        is_active = account.status == "active"
        message = "" if is_active else f"Twilio's account is {account.status}."
        return TrunkHealth(is_connected=True, gateways={NAME: is_active}, message=message)

    async def _present(self, call: Watched) -> tuple[CallEvent, ...]:
        """How far both legs are; a call that has ended is forgotten."""
        try:
            legs = await self._account.ask(lambda client: _legs(client, call))
        except NoAnswer as exc:
            raise ProviderUnavailable(str(exc)) from None
        except Refused as exc:
            if exc.status != GONE:
                raise exc.unanswered() from None
            self._rounds.forget(call.call_id)
            return (_lost(call),)
        if legs[0].status in ENDS:
            self._rounds.forget(call.call_id)
        return tuple(event for leg in reversed(legs) for event in events_of(_told(call, leg)))

    async def _calls(self, dial: Dial, since: datetime) -> list[Any]:
        """Calls to the number that is dialled at once, created when ours would have been."""
        number = _number(dial)
        try:
            listed = await self._account.ask(lambda client: _listed(client, number))
        except NoAnswer as exc:
            raise ProviderUnavailable(str(exc)) from None
        except Refused as exc:
            raise exc.unanswered() from None
        earliest = since - timedelta(seconds=ACCURACY_S)
        latest = since + timedelta(seconds=SETTLED_S)
        return [call for call in listed if earliest <= _utc(call.date_created) <= latest]


def _number(dial: Dial) -> str:
    """What is dialled at once; empty where it is not known any more."""
    return dial.to if dial.first is None else dial.first


def _watched(dial: Dial, ref: str) -> Watched:
    return Watched(dial.call_id, ref, has_two_legs=dial.first is not None)


def _account(client: Client) -> Any:
    return client.api.accounts(client.account_sid).fetch()


def _listed(client: Client, number: str) -> list[Any]:
    return list(client.calls.list(to=number, limit=LISTED))


def _legs(client: Client, call: Watched) -> list[Any]:
    """The leg that the call is named after, and those that it led to."""
    legs = [client.calls(call.ref).fetch()]
    if call.has_two_legs:
        legs += client.calls.list(parent_call_sid=call.ref, limit=LEGS)
    return legs


def _told(call: Watched, leg: Any) -> Told:
    ended_at = leg.end_time if leg.status in ENDS else None
    return Told(
        call_id=call.call_id,
        leg=_leg_of(call) if leg.sid == call.ref else Leg.TO,
        ref=call.ref,
        sid=str(leg.sid),
        status=str(leg.status),
        at=_utc(ended_at) if ended_at else now(),
        duration_s=seconds_of(leg.duration) if ended_at else None,
    )


def _utc(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _lost(call: Watched) -> CallEvent:
    ended = Told(call.call_id, _leg_of(call), call.ref, call.ref, "failed", now())
    return next(iter(events_of(ended)))


def _leg_of(call: Watched) -> Leg:
    return Leg.FIRST if call.has_two_legs else Leg.TO
