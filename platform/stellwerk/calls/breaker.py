"""Spares a switch or carrier that carries no calls, and gives it calls again by itself.

::

    closed --N failures in the window--> open --spared for a while, a good check--> half_open
    half_open --a call that was carried, or good checks for as long again--> closed
    half_open --a failure--> open

A failure is a call that the network did not carry, or a check that found no connection or no
gateway. While it is half open, calls are dialled one at a time. What rings, is busy or does not
exist was carried. A call that ends without a reason, or because we gave it up before it rang,
proves nothing: it stays as it was, and the next call is the probe.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from stellwerk.calls.causes import NO_WAY_OUT
from stellwerk.calls.model import Call, CallTrunk
from stellwerk.calls.states import CallState
from stellwerk.choices import Mode
from stellwerk.configuration.present import Configuration
from stellwerk.configuration.sparing import (
    BREAKER_FAILURES,
    BREAKER_OPEN_S,
    BREAKER_WINDOW_S,
    WHILE_OPEN,
    WhileOpen,
)
from stellwerk.errors import ErrorCode, Unavailable
from stellwerk.jobs.runtime import Runtime
from stellwerk.providers.calls.protocol import CallEvent, EventKind, TrunkHealth
from stellwerk.settings import Settings

AGAIN_S = 5.0  # when to ask again, where nobody knows better: the time between two checks
PRETENDED_S = 60.0  # the same where somebody has to connect a switch first

# Of calls that the trunk did not carry, whoever was called: now, or as it is set up.
NOT_CARRIED = NO_WAY_OUT | frozenset({"EXCHANGE_ROUTING_ERROR", "INVALID_GATEWAY"})
# Of calls of which only the network behind the trunk could say that. Other causes prove nothing:
# no reason at all (NORMAL_UNSPECIFIED), our own timer or hang-up, a refusal of unknown origin, and
# what a switch says of calls that come too fast (DESTINATION_OUT_OF_ORDER).
CARRIED = frozenset(
    {
        "INCOMPATIBLE_DESTINATION",
        "INVALID_NUMBER_FORMAT",
        "NO_ROUTE_DESTINATION",
        "NO_USER_RESPONSE",
        "NUMBER_CHANGED",
        "SUBSCRIBER_ABSENT",
        "UNALLOCATED_NUMBER",
        "USER_BUSY",
    }
)
_REACHED = frozenset({EventKind.RINGING, EventKind.EARLY_MEDIA, EventKind.ANSWERED})
_ENDS = frozenset({EventKind.HUNG_UP, EventKind.REFUSED})


class BreakerState(StrEnum):
    """Whether calls are dialled: all, none, or one at a time."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class Rules:
    """When it opens, and for how long."""

    failures: int
    window: timedelta
    spared: timedelta


@dataclass(frozen=True, slots=True)
class Breaker:
    """One trunk's. `retry_at`: when it may go one state further."""

    state: BreakerState = BreakerState.CLOSED
    failures: tuple[datetime, ...] = ()
    opened_at: datetime | None = None
    retry_at: datetime | None = None

    def failed(self, rules: Rules, at: datetime) -> "Breaker":
        """After a failure at that moment; the same one counts once."""
        is_old = self.opened_at is not None and at <= self.opened_at
        if self.state is BreakerState.OPEN or is_old or at in self.failures:
            return self
        recent = [one for one in self.failures if one > at - rules.window]
        failures = (*recent, at)[-rules.failures :]
        if self.state is BreakerState.HALF_OPEN or len(failures) >= rules.failures:
            return Breaker(BreakerState.OPEN, failures, at, at + rules.spared)
        return replace(self, failures=failures)

    def carried(self, at: datetime) -> "Breaker":
        """After a call that came through at that moment; before it opened proves nothing."""
        is_new = self.opened_at is None or at > self.opened_at
        return Breaker() if self.state is BreakerState.HALF_OPEN and is_new else self

    def checked(self, rules: Rules, now: datetime, *, is_good: bool) -> "Breaker":
        """After a check of the trunk."""
        if not is_good:
            waits = self.state is BreakerState.OPEN
            return replace(self, retry_at=self._later(now)) if waits else self.failed(rules, now)
        if self.state is BreakerState.CLOSED or (self.retry_at and now < self.retry_at):
            return self
        if self.state is BreakerState.HALF_OPEN:
            return Breaker()
        return replace(self, state=BreakerState.HALF_OPEN, retry_at=now + rules.spared)

    def _later(self, now: datetime) -> datetime:
        """It opens no further before the next check at least."""
        soon = now + timedelta(seconds=AGAIN_S)
        return max(self.retry_at or soon, soon)


def is_good(health: TrunkHealth) -> bool:
    """Whether calls can be expected to come through; of gateways one is enough."""
    return health.is_connected and (not health.gateways or any(health.gateways.values()))


def is_failure(event: CallEvent) -> bool | None:
    """Whether the trunk failed, by this event of a call; None: it says nothing of that."""
    if event.kind in _REACHED:
        return False
    if event.kind not in _ENDS:
        return None
    if event.cause in NOT_CARRIED:
        return True
    return False if event.cause in CARRIED else None


def heard(
    session: Session, runtime: Runtime, trunk: str, timelines: Iterable[Iterable[CallEvent]]
) -> None:
    """Note what all events of each call say of its trunk; again and again is as good as once.

    Of calls that all came through, one look at the trunk tells whether that is news.
    """
    told = [one for timeline in timelines for one in _told(timeline)]
    if any(verdict for _, verdict in told) or (told and _is_half_open(session, trunk)):
        for event, verdict in told:
            note(session, runtime, trunk, is_failure=verdict, at=event.at)


def _told(timeline: Iterable[CallEvent]) -> list[tuple[CallEvent, bool]]:
    """Each refusal, and of the rest the first that says something.

    A call that rang was carried, whatever ended it.
    """
    told = [(one, is_failure(one)) for one in sorted(timeline, key=lambda one: one.at)]
    said = [(one, verdict) for one, verdict in told if verdict is not None]
    dialled = [pair for pair in said if pair[0].kind is not EventKind.REFUSED]
    refused = [pair for pair in said if pair[0].kind is EventKind.REFUSED]
    return [*refused, *dialled[:1]]


def note(
    session: Session, runtime: Runtime, trunk: str, *, is_failure: bool, at: datetime | None = None
) -> None:
    """Note a call that came through, or that the trunk did not carry, then or now.

    Calls that came through cost a look at the trunk's row; only failures write to it.
    """
    if not is_failure and not _is_half_open(session, trunk):
        return
    row, now = _locked(session, trunk), _now(session)
    before, then = _breaker_of(row), min(at or now, now)
    rules = rules_of(runtime.configuration)
    if not is_failure:
        _store(row, before.carried(then))
    elif then > now - rules.window:
        _store(row, before.failed(rules, then))


def checked(session: Session, runtime: Runtime, trunk: str, health: TrunkHealth) -> None:
    """Store how the trunk is, and let its breaker follow."""
    row, now = _locked(session, trunk), _now(session)
    row.is_connected, row.gateways = health.is_connected, dict(health.gateways)
    row.message, row.checked_at = health.message, now
    if health.is_connected:
        row.is_simulated = health.is_simulated
    rules = rules_of(runtime.configuration)
    _store(row, _breaker_of(row).checked(rules, now, is_good=is_good(health)))


def is_pretended(settings: Settings, *, is_simulated: bool) -> bool:
    """Whether a simulator stands where real calls are expected: nothing is dialled over it."""
    return is_simulated and settings.mode is Mode.PRODUCTION


def room(session: Session, runtime: Runtime, trunk: str, wanted: int) -> int:
    """How many of `wanted` calls may be dialled now: all, none, or one at a time."""
    row = session.get(CallTrunk, trunk)
    if row and is_pretended(runtime.settings, is_simulated=row.is_simulated):
        return 0
    state = BreakerState(row.breaker) if row else BreakerState.CLOSED
    if state is BreakerState.CLOSED:
        return wanted
    if state is BreakerState.OPEN or _on_trial(session, trunk, CallState.DIALING):
        return 0
    return min(wanted, 1)


def refuse_if_open(session: Session, runtime: Runtime, trunk: str) -> None:
    """Raise Unavailable (TRUNK_UNAVAILABLE) while the trunk is spared, unless calls are to wait.

    While it is half open one call is let in. Over a simulator no call of production is, nor waits.
    """
    row = session.get(CallTrunk, trunk, populate_existing=True)
    if row and is_pretended(runtime.settings, is_simulated=row.is_simulated):
        message = "Only a simulator of a switch is connected, which calls nobody."
        raise Unavailable(message, code=ErrorCode.TRUNK_UNAVAILABLE, retry_after_s=PRETENDED_S)
    if row is None or row.breaker == BreakerState.CLOSED:
        return
    if runtime.configuration[WHILE_OPEN] is WhileOpen.QUEUE:
        return
    states = (CallState.QUEUED, CallState.DIALING)
    if row.breaker == BreakerState.HALF_OPEN and not _on_trial(session, trunk, *states):
        return
    left = row.retry_at - _now(session) if row.retry_at else timedelta()
    message = "Calls do not get through at the moment. Send it again later."
    retry_after_s = max(AGAIN_S, left.total_seconds())
    raise Unavailable(message, code=ErrorCode.TRUNK_UNAVAILABLE, retry_after_s=retry_after_s)


def rules_of(configuration: Configuration) -> Rules:
    """Those in force."""
    return Rules(
        configuration[BREAKER_FAILURES],
        timedelta(seconds=configuration[BREAKER_WINDOW_S]),
        timedelta(seconds=configuration[BREAKER_OPEN_S]),
    )


def _on_trial(session: Session, trunk: str, *states: CallState) -> bool:
    query = select(Call.id).where(Call.provider == trunk, Call.state.in_(states)).limit(1)
    return session.scalar(query) is not None


def _is_half_open(session: Session, trunk: str) -> bool:
    present = session.scalar(select(CallTrunk.breaker).where(CallTrunk.name == trunk))
    return present == BreakerState.HALF_OPEN


def _locked(session: Session, trunk: str) -> CallTrunk:
    """The trunk's row, of which there is one from now on."""
    held = {"key_share": True}
    row = session.get(CallTrunk, trunk, with_for_update=held, populate_existing=True)
    if row is None:
        session.execute(insert(CallTrunk).values(name=trunk).on_conflict_do_nothing())
        row = session.get_one(CallTrunk, trunk, with_for_update=held, populate_existing=True)
    return row


def _breaker_of(row: CallTrunk) -> Breaker:
    times = tuple(datetime.fromisoformat(text) for text in row.failures)
    return Breaker(BreakerState(row.breaker), times, row.opened_at, row.retry_at)


def _store(row: CallTrunk, breaker: Breaker) -> None:
    row.breaker = breaker.state.value
    row.failures = [at.isoformat() for at in breaker.failures]
    row.opened_at, row.retry_at = breaker.opened_at, breaker.retry_at


def _now(session: Session) -> datetime:
    now: datetime = session.scalars(select(func.clock_timestamp())).one()
    return now
