"""What operators configure of calls: which numbers are dialled, and what they cost."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints

from stellwerk.configuration.entry import Entry

EVERY = "+"  # the prefix of every number

Prefix = Annotated[str, StringConstraints(pattern=r"^\+[0-9]{1,14}$")]
_Priced = Annotated[str, StringConstraints(pattern=r"^\+[0-9]{0,14}$")]

# Satellite and other networks of no country: Inmarsat, UPT, Global Mobile Satellite System,
# international networks (two of them), disaster relief, international premium rate.
SATELLITES = ["+870", "+878", "+881", "+882", "+883", "+888", "+979"]


def _complete(prices: dict[str, Decimal]) -> dict[str, Decimal]:
    if EVERY not in prices:
        raise ValueError(f"lacks {EVERY}, the price of every other number")
    return prices


ALLOWED: Entry[Sequence[str]] = Entry(
    "calls.allowed_prefixes",
    list[Prefix],
    [],
    "Only numbers that begin with one of these are called; empty: all that are not denied.",
)
DENIED: Entry[Sequence[str]] = Entry(
    "calls.denied_prefixes",
    list[Prefix],
    SATELLITES,
    "Numbers that begin with one of these are not called, unless a longer allowed prefix fits.",
)
CALLER_IDS: Entry[Sequence[str]] = Entry(
    "calls.caller_ids",
    list[Annotated[str, StringConstraints(pattern=r"^\+[0-9]{0,15}$")]],
    [],
    "Numbers that users may have shown (`caller_id`), each in full or by how it begins; empty: "
    "the trunk's own alone, in development any.",
)
PREMIUM: Entry[bool] = Entry(
    "calls.premium_allowed",
    bool,
    default=False,
    description="Whether premium rate numbers of any country are called.",
)
CALL_PRICES_EUR: Entry[Mapping[str, Decimal]] = Entry(
    "calls.prices_eur",
    Annotated[dict[_Priced, Annotated[Decimal, Field(ge=0, le=1000)]], AfterValidator(_complete)],
    {EVERY: 0.12, "+1": 0.01, "+49": 0.02, "+491": 0.06, "+41": 0.03, "+43": 0.03},
    "What a minute costs, by the longest prefix of the number.",
    "EUR/min",
)
INCREMENTS: Entry[str] = Entry(
    "calls.billing_increments",
    Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,2}/[1-9][0-9]{0,2}$")],
    "60/1",
    "How seconds are paid for: at least the first number, then in steps of the second.",
    "s/s",
)

CALLING: tuple[Entry[Any], ...] = (
    ALLOWED,
    DENIED,
    CALLER_IDS,
    PREMIUM,
    CALL_PRICES_EUR,
    INCREMENTS,
)
