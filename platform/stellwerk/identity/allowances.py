"""What an account may have: its own limits, else its tier's, and never more than the licence."""

from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from stellwerk.identity.model import User
from stellwerk.settings import Settings

Amount = TypeVar("Amount", int, Decimal)


@dataclass(frozen=True, slots=True)
class Allowances:
    """Limits as they are in force; videos by day and money (EUR) by calendar month, in UTC."""

    channels: int
    daily_videos: int
    monthly_budget: Decimal


def allowances(settings: Settings, user: User) -> Allowances:
    """Those of one account."""
    tier = user.subscription_tier
    return Allowances(
        channels=_least(
            settings.licence_channels, user.channels_limit, settings.channels_limits[tier]
        ),
        daily_videos=_least(
            settings.licence_daily_videos,
            user.daily_video_limit,
            settings.daily_video_limits[tier],
        ),
        monthly_budget=_least(
            settings.licence_monthly_budget_eur,
            user.monthly_budget,
            settings.monthly_budgets_eur[tier],
        ),
    )


def _least(licence: Amount | None, own: Amount | None, tiers: Amount) -> Amount:
    wanted = tiers if own is None else own
    return wanted if licence is None else min(licence, wanted)
