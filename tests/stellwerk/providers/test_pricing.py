"""Costs are exact."""

from decimal import Decimal

import pytest

from stellwerk.configuration.entries import PRICES_EUR
from stellwerk.errors import ConfigurationError
from stellwerk.providers.pricing import Usage, estimate, expected_usage, price

LOCAL = {"script": "template", "voice": "local", "images": "pillow"}
PAID = {"script": "openai", "voice": "elevenlabs", "images": "openai"}


def test_a_price_is_units_times_unit_price_without_rounding() -> None:
    usage = [Usage("a", "token", Decimal(3)), Usage("b", "image", Decimal(1))]
    prices = {"a.token": Decimal("0.0000001"), "b.image": Decimal("0.04")}
    assert price(usage, prices) == Decimal("0.0400003")


def test_nothing_used_costs_nothing() -> None:
    assert price([], {}) == 0


def test_a_missing_price_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"'a\.token'"):
        price([Usage("a", "token", Decimal(1))], {})


@pytest.mark.parametrize("providers", [LOCAL, PAID])
def test_an_estimate_is_the_sum_of_its_steps(providers: dict[str, str]) -> None:
    prices = PRICES_EUR.parse(PRICES_EUR.default)
    steps = expected_usage(30, **providers)
    assert list(steps) == ["script", "voice", "visuals", "render", "package"]
    total = sum(price(lines, prices) for lines in steps.values())
    assert estimate(30, **providers, prices=prices) == total > 0


def test_a_longer_video_is_estimated_to_cost_more() -> None:
    prices = PRICES_EUR.parse(PRICES_EUR.default)
    assert estimate(300, **PAID, prices=prices) > estimate(30, **PAID, prices=prices)
