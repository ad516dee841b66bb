"""What a call costs: a price a minute by the longest prefix of its number, by increments."""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

SECONDS = 60  # a minute
_EXACT = Decimal("0.000001")


class Price(NamedTuple):
    """EUR a minute for numbers that begin so."""

    prefix: str
    eur: Decimal


def price_of(number: str, prices: Mapping[str, Decimal]) -> Price:
    """The price of the longest prefix that fits; `+` fits every number."""
    prefix = max((one for one in prices if number.startswith(one)), key=len)
    return Price(prefix, prices[prefix])


def billed_s(billable_s: int, increments: str) -> int:
    """Seconds that are paid: `60/1` is at least a minute, then each second; nothing of nothing."""
    first, further = (int(part) for part in increments.split("/"))
    if billable_s <= 0:
        return 0
    if billable_s <= first:
        return first
    return first + -(-(billable_s - first) // further) * further


def cost_of(seconds: int, minute_eur: Decimal) -> Decimal:
    """EUR for so many paid seconds."""
    return (minute_eur * seconds / SECONDS).quantize(_EXACT, ROUND_HALF_UP)
