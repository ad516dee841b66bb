"""Reads about accounts."""

from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from stellwerk.identity.model import User
from stellwerk.jobs.remains import JobCost
from stellwerk.settings import Settings


def total_spent_eur(session: Session, user_id: int) -> Decimal:
    """The sum of a user's cost lines."""
    query = select(func.coalesce(func.sum(JobCost.amount), 0)).where(JobCost.owner_id == user_id)
    return Decimal(session.scalar(query) or 0)


def profile(session: Session, settings: Settings, user: User) -> dict[str, object]:
    """An account as its owner sees it: limits in force, money in EUR."""
    tier = user.subscription_tier
    return {
        **{name: getattr(user, name) for name in _SHOWN},
        "channels_limit": _or(user.channels_limit, settings.channels_limits[tier]),
        "daily_video_limit": _or(user.daily_video_limit, settings.daily_video_limits[tier]),
        "monthly_budget": user.budget_or(settings.monthly_budgets_eur[tier]),
        "total_spent": total_spent_eur(session, user.id),
    }


_SHOWN = (
    "id",
    "email",
    "username",
    "full_name",
    "role",
    "is_active",
    "email_verified_at",
    "subscription_tier",
    "is_beta_user",
    "created_at",
    "updated_at",
)


def _or(own: int | None, default: int) -> int:
    return default if own is None else own
