"""What an attempt came to, as an explicit value."""

from dataclasses import dataclass
from enum import StrEnum


class Came(StrEnum):
    """What an attempt came to."""

    NOTHING = "nothing"  # there was nothing to claim, or the lease was lost
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    AGAIN = "again"  # retried, handed over or suspended


@dataclass(frozen=True, slots=True)
class Report:
    """The attempt's result, for logs and Flower."""

    came: Came
    reason: str = ""
