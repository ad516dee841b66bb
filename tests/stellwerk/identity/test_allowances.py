from decimal import Decimal
from typing import Any

import pytest

from stellwerk.identity.allowances import allowances
from stellwerk.identity.model import User
from stellwerk.settings import Settings


@pytest.mark.parametrize(
    ("own", "licence", "allowed"),
    [(None, None, 1), (7, None, 7), (0, None, 0), (None, 0, 0), (7, 5, 5), (3, 5, 3)],
)
def test_ones_own_limit_counts_before_the_tiers_and_the_licence_caps_both(
    settings: Settings, own: int | None, licence: int | None, allowed: int
) -> None:
    assert of(settings, {"channels_limit": own}, licence_channels=licence).channels == allowed


def test_videos_and_money_follow_the_same_rule(settings: Settings) -> None:
    capped = {"licence_daily_videos": 1, "licence_monthly_budget_eur": Decimal(4)}
    assert of(settings, {}, **capped).daily_videos == 1
    assert of(settings, {}, **capped).monthly_budget == Decimal(4)
    assert of(settings, {}).daily_videos == 2
    assert of(settings, {"monthly_budget": Decimal("0.5")}, **capped).monthly_budget == Decimal(
        "0.5"
    )


def of(settings: Settings, fields: dict[str, Any], **licence: Any) -> Any:
    user = User(subscription_tier="free", **fields)
    return allowances(settings.model_copy(update=licence), user)
