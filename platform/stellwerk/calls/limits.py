"""How many calls a user may have, and for how much."""

from decimal import Decimal
from typing import Any

from sqlalchemy import and_, func, or_, select, text
from sqlalchemy.orm import Session

from stellwerk.calls.model import Call
from stellwerk.calls.numbers import number
from stellwerk.calls.pricing import billed_s, cost_of, price_of
from stellwerk.calls.settling import NUMBERLESS
from stellwerk.calls.states import ENDED, UNDER_WAY
from stellwerk.configuration.calling import CALL_PRICES_EUR, INCREMENTS
from stellwerk.errors import LimitReached, PaymentRequired
from stellwerk.identity.allowances import allowances
from stellwerk.identity.model import User
from stellwerk.jobs.model import Job
from stellwerk.jobs.runtime import Runtime
from stellwerk.jobs.spending import committed_this_month
from stellwerk.money import money

BUSY_S = 5.0  # after how long another call may have ended

_UNTIL_MIDNIGHT = text("""
    SELECT extract(epoch FROM date_trunc('day', timezone('UTC', now())) + interval '1 day'
        - timezone('UTC', now()))
""")


def locked_user(session: Session, user_id: int) -> User:
    """The user, of whom nobody else counts limits and budget until the transaction ends.

    FOR NO KEY UPDATE: a job just inserted holds its owner's key already.
    """
    return session.get_one(
        User, user_id, with_for_update={"key_share": True}, populate_existing=True
    )


def refuse_too_many(session: Session, runtime: Runtime, user: User) -> None:
    """Raise LimitReached where the user has as many calls as the tier allows, now or today."""
    tier, settings = user.subscription_tier, runtime.settings
    at_once, a_day = settings.concurrent_calls_limits[tier], settings.daily_call_limits[tier]
    if calls_at_once(session, user.id) >= at_once:
        message = f"Your tier allows {at_once} call(s) at once. Wait for one to end."
        details = {"concurrent_calls_limit": at_once}
        raise LimitReached(message, details=details, retry_after_s=BUSY_S)
    if calls_today(session, user.id) >= a_day:
        message = f"Your tier allows {a_day} call(s) a day. Come back tomorrow (UTC)."
        retry_after_s = float(session.scalar(_UNTIL_MIDNIGHT) or 0)
        details = {"daily_call_limit": a_day}
        raise LimitReached(message, details=details, retry_after_s=retry_after_s)


def most_it_costs(runtime: Runtime, payload: dict[str, Any]) -> Decimal:
    """EUR for a call of this payload that lasts as long as it may; raises InvalidInput."""
    prices = runtime.configuration[CALL_PRICES_EUR]
    seconds = billed_s(payload["max_duration_s"], runtime.configuration[INCREMENTS])
    region = runtime.settings.call_region
    dialled = [(payload[field], field) for field in ("to", "from") if payload[field]]
    found = [number(written, region, field) for written, field in dialled]
    return sum((cost_of(seconds, price_of(one.e164, prices).eur) for one in found), start=Decimal())


def most_of(runtime: Runtime, call: Call) -> Decimal:
    """EUR for this call, if it lasts as long as it may."""
    seconds = billed_s(call.max_duration_s, runtime.configuration[INCREMENTS])
    return cost_of(seconds, call.price_eur) + cost_of(seconds, call.first_price_eur)


def reserve(session: Session, runtime: Runtime, user: User, payload: dict[str, Any]) -> Decimal:
    """What is set aside for the call; raises PaymentRequired, saying what is left."""
    most = most_it_costs(runtime, payload)
    budget = allowances(runtime.settings, user).monthly_budget
    committed = committed_this_month(session, user.id) + _outlasting(session, runtime, user.id)
    left = budget - committed
    if most > left:
        message = (
            f"It could cost {money(most)}; {money(left)} are left this month. "
            "A lower max_duration_s reserves less."
        )
        details = {"estimate": round(float(most), 6), "left": round(float(left), 6)}
        raise PaymentRequired(message, details=details)
    return most


def _outlasting(session: Session, runtime: Runtime, user_id: int) -> Decimal:
    """EUR that calls can cost which go on although their jobs, with what these set aside, ended."""
    goes_on = Call.state.in_([state.value for state in UNDER_WAY])
    has_ended = and_(Job.finished_at.is_not(None), Job.reserved_cost == 0)
    query = (
        select(Call)
        .options(*NUMBERLESS)
        .outerjoin(Job, Job.id == Call.job_id)
        .where(Call.user_id == user_id, goes_on)
        .where(or_(Job.id.is_(None), has_ended))
    )
    return sum((most_of(runtime, call) for call in session.scalars(query)), start=Decimal())


def calls_at_once(session: Session, user_id: int) -> int:
    """How many of the user's wait or are under way."""
    ended = [state.value for state in ENDED]
    query = select(func.count()).where(Call.user_id == user_id, Call.state.not_in(ended))
    return session.scalar(query) or 0


def calls_today(session: Session, user_id: int) -> int:
    """How many the user asked for since midnight (UTC)."""
    today = func.timezone("UTC", func.date_trunc("day", func.timezone("UTC", func.now())))
    query = select(func.count()).where(Call.user_id == user_id, Call.created_at >= today)
    return session.scalar(query) or 0
