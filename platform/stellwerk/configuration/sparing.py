"""When a switch or carrier that carries no calls is spared, and for how long."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from stellwerk.configuration.entry import Entry


class WhileOpen(StrEnum):
    """What becomes of calls that are asked for while their trunk is spared."""

    REFUSE = "refuse"
    QUEUE = "queue"


BREAKER_FAILURES: Entry[int] = Entry(
    "calls.breaker_failures",
    Annotated[int, Field(ge=1, le=1000)],
    5,
    "So many failures of a trunk within the window let its breaker open: calls that the network "
    "did not carry, and checks (every 5 s) that found no connection or no usable gateway.",
)
BREAKER_WINDOW_S: Entry[int] = Entry(
    "calls.breaker_window_s",
    Annotated[int, Field(ge=1, le=3600)],
    60,
    "How long a failure counts.",
    "s",
)
BREAKER_OPEN_S: Entry[int] = Entry(
    "calls.breaker_open_s",
    Annotated[int, Field(ge=1, le=3600)],
    30,
    "How long an open breaker spares its trunk before one call is tried, and how long checks have "
    "to be good after that to close it without a call.",
    "s",
)
WHILE_OPEN: Entry[WhileOpen] = Entry(
    "calls.while_open",
    WhileOpen,
    WhileOpen.REFUSE.value,
    "Calls that are asked for while the breaker is open: refused with 503 and Retry-After, or "
    "taken and dialled once it closes.",
)

SPARING: tuple[Entry[Any], ...] = (BREAKER_FAILURES, BREAKER_WINDOW_S, BREAKER_OPEN_S, WHILE_OPEN)
