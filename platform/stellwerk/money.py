"""Amounts of money as people read them."""

from decimal import ROUND_HALF_UP, Decimal

CURRENCY = "EUR"  # of every price and every cost line
_MINOR = 2  # decimals of its minor unit, the cent (ISO 4217)
_FINEST = Decimal("0.0001")  # a hundredth of a cent


def money(amount: Decimal | float) -> str:
    """`0.5` as `0.50 EUR`; of parts of a cent up to four decimals, as `0.0125 EUR`.

    What is less than these show, and not nothing, is `< 0.0001 EUR`.
    """
    exact = Decimal(str(amount))
    if 0 < exact < _FINEST:
        return f"< {_FINEST} {CURRENCY}"
    whole, _, parts = f"{exact.quantize(_FINEST, ROUND_HALF_UP):f}".partition(".")
    return f"{whole}.{parts.rstrip('0').ljust(_MINOR, '0')} {CURRENCY}"
