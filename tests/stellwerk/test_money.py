"""Money is shown with its cents, and prices below a cent with more."""

from decimal import Decimal

import pytest

from stellwerk.money import money


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (0, "0.00 EUR"),
        (0.0, "0.00 EUR"),
        (Decimal("0.000000"), "0.00 EUR"),
        (Decimal("0E-6"), "0.00 EUR"),
        (0.5, "0.50 EUR"),
        (1, "1.00 EUR"),
        (0.02, "0.02 EUR"),
        (Decimal("0.012500"), "0.0125 EUR"),
        (Decimal("0.00004"), "< 0.0001 EUR"),
        (Decimal("1.23456"), "1.2346 EUR"),
        (1e16, "10000000000000000.00 EUR"),
        (-0.5, "-0.50 EUR"),
    ],
)
def test_an_amount_has_its_cents_and_no_more_than_it_needs(
    amount: Decimal | float, shown: str
) -> None:
    assert money(amount) == shown
