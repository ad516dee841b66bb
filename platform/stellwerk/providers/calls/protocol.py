"""A call to be dialled, what becomes of it, and those who dial: switches and carriers.

Numbers are E.164 (ITU-T), with the plus sign. Causes are those of Q.850 by the names that
FreeSWITCH gives them, whoever reports them.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol, runtime_checkable
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Dial:
    """What is to be dialled. With `first`, that number is rung first and then bridged to `to`."""

    call_id: UUID  # the channel's too: `origination_uuid`
    to: str = field(repr=False)
    first: str | None = field(repr=False, default=None)
    caller_id: str | None = field(repr=False, default=None)
    ring_timeout_s: int = 60
    max_duration_s: int = 3600
    recording: Path | None = None  # on the switch's disk; an announcement is played before
    attempt: int = 1  # one more each time it was certainly not dialled


class Leg(StrEnum):
    """Whose end of a call: `to` is who was called, `first` who was rung before that."""

    TO = "to"
    FIRST = "first"


class EventKind(StrEnum):
    """What can happen to one leg of a call."""

    CREATED = "created"  # there is a channel: the number is being dialled
    RINGING = "ringing"
    EARLY_MEDIA = "early_media"
    ANSWERED = "answered"
    BRIDGED = "bridged"
    HUNG_UP = "hung_up"  # with its cause: the leg's end
    REFUSED = "refused"  # with its cause: there never was a channel, so nothing was dialled
    RECORDED = "recorded"  # the recording is complete


@dataclass(frozen=True, slots=True)
class CallEvent:
    """One thing that happened. `key` is the same whenever the same event is told again.

    That of REFUSED is another one for each attempt.
    """

    call_id: UUID
    leg: Leg
    kind: EventKind
    at: datetime
    key: str  # at most 100 characters
    cause: str | None = None
    billable_s: int | None = None  # of HUNG_UP, where the provider says so
    ref: str | None = None  # the provider's own name of the call


class Presence(StrEnum):
    """What a provider knows of a call."""

    LIVE = "live"
    ENDED = "ended"  # it was there and is no more
    ABSENT = "absent"  # it is not there, which says nothing of what was


@dataclass(frozen=True, slots=True)
class Trace:
    """What could be found out about a call, with the events that follow from it."""

    presence: Presence
    events: Sequence[CallEvent] = ()


@dataclass(frozen=True, slots=True)
class TrunkHealth:
    """How a trunk is: `gateways` by name, and whether each can take calls."""

    is_connected: bool
    gateways: Mapping[str, bool] = field(default_factory=dict)
    message: str = ""
    is_simulated: bool = False  # by what it says of itself: it calls nobody


@dataclass(frozen=True, slots=True)
class Listener:
    """Whom a trunk tells; both return at once, and are called in the trunk's own event loop.

    `connected`: there is a (new) connection, so what happened before may have gone unheard.
    """

    heard: Callable[[CallEvent], None]
    connected: Callable[[], None]


class Trunk(Protocol):
    """Dials, hangs up and tells, in one asyncio event loop. One process at a time uses it."""

    @property
    def name(self) -> str:
        """As in the settings: freeswitch, telnyx, twilio."""

    @property
    def dials_per_s(self) -> float:
        """How many calls may be begun in a second."""

    def refuse(self, dial: Dial) -> None:
        """Raise ProviderRejected for what this provider can not do: asked before it is stored."""

    async def run(self, listener: Listener) -> None:
        """Keep the connection and tell what happens, reconnecting by itself, until cancelled."""

    async def dial(self, dial: Dial) -> str | None:
        """Begin a call, without waiting for anybody to answer; returns the provider's name of it.

        Raises ProviderDeferred (it was certainly not dialled and may be later), ProviderRejected
        (it never will be), ProviderUnavailable (nobody can tell whether it is being dialled).
        """

    async def hang_up(self, call_id: UUID, ref: str | None) -> None:
        """End a call; nothing where it has ended. Raises ProviderUnavailable."""

    async def trace(
        self, dial: Dial, ref: str | None, since: datetime, known: Collection[str] = ()
    ) -> Trace:
        """What is known of a call dialled after `since`; `known`: other calls' names at it.

        Raises ProviderUnavailable, also where it is too early to tell (`retry_after_s`).
        """

    async def check(self) -> TrunkHealth:
        """How it is now; raises nothing."""


@runtime_checkable
class Bridges(Protocol):
    """A trunk whose `dial` rings `first` alone, and that has to be asked for `to` afterwards."""

    async def bridge(self, dial: Dial, ref: str) -> CallEvent:
        """Dial `to`, and connect it with who answered the call of that name; tells that it began.

        Raises as `Trunk.dial`. Nobody is connected where it was refused: the call goes on.
        """
