"""What carriers tell of calls by requests of their own, and how one knows that it was them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from stellwerk.providers.calls.protocol import CallEvent

PATH = "/api/v1/call-events"  # a carrier's name follows


@dataclass(frozen=True, slots=True)
class Callback:
    """A request as it came. `path` has its query; header names are in lower case."""

    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class Callbacks(Protocol):
    """Reads a carrier's requests."""

    def events(self, callback: Callback) -> Sequence[CallEvent]:
        """What it tells, none where that is nothing to us.

        Raises NotPermitted for whatever the carrier did not send, or not to this address.
        """
