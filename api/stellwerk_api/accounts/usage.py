"""What an account has used of what it may."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from stellwerk.calls.limits import calls_at_once, calls_today
from stellwerk.clock import utc_now
from stellwerk.identity import service
from stellwerk.identity.allowances import allowances
from stellwerk.jobs import spending
from stellwerk.studio import queries
from stellwerk_api.auth import caller
from stellwerk_api.context import platform


def own_usage() -> dict[str, Any]:
    """The caller's, as `UsageSchema` has it."""
    here, user_id, today = platform(), caller().user_id, _midnight(utc_now())
    with here.runtime.sessions() as session:
        user = service.get_user(session, user_id)
        allowed = allowances(here.settings, user)
        held = queries.channels_held(session, user_id)
        videos = queries.videos_today(session, user_id)
        calls = calls_today(session, user_id)
        at_once = calls_at_once(session, user_id)
        spent = spending.spent_this_month(session, user_id)
        reserved = spending.reserved(session, user_id)
    return {
        "channels": {"used": held, "limit": allowed.channels},
        "videos_today": {
            "used": videos,
            "limit": allowed.daily_videos,
            "resets_at": today + timedelta(days=1),
        },
        "calls_today": {
            "used": calls,
            "limit": here.settings.daily_call_limits[user.subscription_tier],
            "resets_at": today + timedelta(days=1),
        },
        "calls_at_once": {
            "used": at_once,
            "limit": here.settings.concurrent_calls_limits[user.subscription_tier],
        },
        "budget_this_month": {
            "spent": spent,
            "reserved": reserved,
            "limit": allowed.monthly_budget,
            "left": max(allowed.monthly_budget - spent - reserved, Decimal()),
            "resets_at": _next_month(today),
        },
    }


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _next_month(moment: datetime) -> datetime:
    """The first of it: no month has more than 31 days, and none fewer than 28."""
    return (moment.replace(day=28) + timedelta(days=4)).replace(day=1)
