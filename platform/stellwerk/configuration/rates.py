"""How often something may be asked for: `100/min`, by class of request and by tier."""

from enum import StrEnum
from functools import lru_cache
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, StringConstraints

UNITS_S = {"s": 1, "min": 60, "h": 3600, "day": 86_400}

RateText = Annotated[
    str,
    StringConstraints(pattern=rf"^[1-9][0-9]{{0,6}}/({'|'.join(UNITS_S)})$"),
]


class RateClass(StrEnum):
    """What is counted together; a request may count in several."""

    DEFAULT = "default"  # every request with credentials that is not one of the next
    POLLS = "polls"  # looking at one job, waits, streams, subscriptions
    VIDEOS = "videos"  # videos asked for
    YOUTUBE = "youtube"  # jobs that ask YouTube for something
    CALLS = "calls"  # calls asked for
    MAIL = "mail"  # mails asked for
    LOGIN = "login"  # signing in, registering, passwords: by IP address, e-mail address and user
    LOGIN_ADDRESS = "login_address"  # signing in to one e-mail address, from wherever
    PUBLIC = "public"  # renewing sessions, connecting accounts, unsigned events: by IP address


class Rate(NamedTuple):
    """So many in a window; all of them may come at once."""

    requests: int
    window_s: int

    @property
    def interval_us(self) -> int:
        """After how long one of them is free again, in millionths of a second."""
        return max(1, self.window_s * 1_000_000 // self.requests)

    @property
    def window_us(self) -> int:
        """The window in millionths of a second."""
        return self.window_s * 1_000_000


class ByTier(BaseModel):
    """A rate for each tier."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    free: RateText
    pro: RateText
    enterprise: RateText


@lru_cache(1000)
def rate_of(text: str) -> Rate:
    """`100/min` as numbers."""
    requests, _, unit = text.partition("/")
    return Rate(int(requests), UNITS_S[unit])
