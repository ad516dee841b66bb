"""The fixed list of what can be configured while the platform runs."""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from stellwerk.configuration.calling import CALLING
from stellwerk.configuration.entry import Entry
from stellwerk.configuration.prices import DEFAULTS, Prices
from stellwerk.configuration.rates import ByTier, RateClass, RateText
from stellwerk.configuration.sparing import SPARING
from stellwerk.errors import ConfigurationError, InvalidInput


def _rates(name: RateClass, description: str, *texts: str) -> Entry[ByTier]:
    by_tier = dict(zip(ByTier.model_fields, texts * 3 if len(texts) == 1 else texts, strict=True))
    return Entry(f"rates.{name}", ByTier, by_tier, description, _RATE)


_RATE = "N/s, N/min, N/h or N/day"
RATES: Mapping[RateClass, Entry[ByTier]] = MappingProxyType(
    {
        RateClass.DEFAULT: _rates(
            RateClass.DEFAULT,
            "Requests of a user, with all of their sessions and API keys, by tier.",
            "100/min",
            "300/min",
            "1000/min",
        ),
        RateClass.POLLS: _rates(
            RateClass.POLLS,
            "Polls of a job, waits, streams and subscriptions of a user, by tier.",
            "1200/min",
        ),
        RateClass.VIDEOS: _rates(
            RateClass.VIDEOS, "Videos that a user may ask for, by tier.", "10/h"
        ),
        RateClass.YOUTUBE: _rates(
            RateClass.YOUTUBE, "Jobs that ask YouTube for something, of a user, by tier.", "50/h"
        ),
        RateClass.CALLS: _rates(
            RateClass.CALLS, "Calls that a user may ask for, by tier.", "10/min"
        ),
        RateClass.MAIL: _rates(RateClass.MAIL, "Mails that a user may ask for, by tier.", "10/min"),
    }
)
LOGIN_RATE: Entry[str] = Entry(
    "rates.login",
    RateText,
    "5/min",
    "Tries to sign in, to register or to reset a password, from one IP address (of IPv6 the first "
    "64 bits); mails asked for without signing in, to one e-mail address; tries of a user to prove "
    "who they are.",
    _RATE,
)
LOGIN_ADDRESS_RATE: Entry[str] = Entry(
    "rates.login_address",
    RateText,
    "30/min",
    "Tries to sign in with one e-mail address, from everywhere together; more than from one IP "
    "address, so that nobody is kept out by somebody else's tries.",
    _RATE,
)
PUBLIC_RATE: Entry[str] = Entry(
    "rates.public",
    RateText,
    "60/min",
    "Renewals of sessions, requests of browsers that connect an account, and what comes as events "
    "of calls and no carrier signed, from one IP address.",
    _RATE,
)
OF_NOBODY: Mapping[RateClass, Entry[str]] = MappingProxyType(
    {
        RateClass.LOGIN: LOGIN_RATE,
        RateClass.LOGIN_ADDRESS: LOGIN_ADDRESS_RATE,
        RateClass.PUBLIC: PUBLIC_RATE,
    }
)
FAIL_CLOSED: Entry[frozenset[RateClass]] = Entry(
    "rates.fail_closed",
    frozenset[RateClass],
    [
        RateClass.LOGIN,
        RateClass.LOGIN_ADDRESS,
        RateClass.VIDEOS,
        RateClass.CALLS,
        RateClass.MAIL,
    ],
    "Classes of which, while Redis cannot count, each process lets only its share through. "
    "The others are not limited then.",
)
MAINTENANCE: Entry[bool] = Entry(
    "maintenance.enabled",
    bool,
    default=False,
    description="Submissions and changes are answered with 503, except those of operators; "
    "reads and sign-ins go on, and calls under way are heard of and can be hung up.",
)
MAINTENANCE_MESSAGE: Entry[str] = Entry(
    "maintenance.message",
    Annotated[str, StringConstraints(min_length=1, max_length=500)],
    "The platform is being maintained. Reading goes on; send changes again later.",
    "What those answers say.",
)
MAINTENANCE_RETRY_AFTER_S: Entry[int] = Entry(
    "maintenance.retry_after_s",
    Annotated[int, Field(ge=1, le=86_400)],
    300,
    "When they ask clients to come back.",
    "s",
)
PRICES_EUR: Entry[Mapping[str, Decimal]] = Entry(
    "prices_eur",
    Prices,
    dict(DEFAULTS),
    "What one unit of an outside service costs; for estimates and cost lines from now on.",
    "EUR",
)

_ALL: tuple[Entry[Any], ...] = (
    *RATES.values(),
    *OF_NOBODY.values(),
    FAIL_CLOSED,
    MAINTENANCE,
    MAINTENANCE_MESSAGE,
    MAINTENANCE_RETRY_AFTER_S,
    PRICES_EUR,
    *CALLING,
    *SPARING,
)
ENTRIES: Mapping[str, Entry[Any]] = MappingProxyType({entry.name: entry for entry in _ALL})


def defaults(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Every entry's default as JSON, with those that the installation has chosen.

    Raises ConfigurationError for one that there is not, and for a value that it cannot have.
    """
    for name, value in chosen.items():
        if name not in ENTRIES:
            message = f"STELLWERK_CONFIG_DEFAULTS names {name}, which cannot be configured."
            raise ConfigurationError(message)
        try:
            ENTRIES[name].parse(value)
        except InvalidInput as exc:
            reasons = "; ".join(f"{one.field}: {one.reason}" for one in exc.errors)
            message = f"STELLWERK_CONFIG_DEFAULTS: {exc.message} {reasons}"
            raise ConfigurationError(message) from exc
    return {entry.name: entry.default for entry in ENTRIES.values()} | dict(chosen)
