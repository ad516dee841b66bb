"""The calls that this process dialled or came across, while they last."""

from collections import deque
from dataclasses import dataclass
from time import monotonic
from uuid import UUID

from stellwerk.providers.calls.freeswitch.dial_strings import job_of, leg_of, second_leg
from stellwerk.providers.calls.freeswitch.events import Channel
from stellwerk.providers.calls.protocol import Dial, Leg

_KEPT_S = 60.0  # after a call's end: the result of its job may come later


@dataclass(slots=True)
class KnownCall:
    """One call; `generation` is that of the connection over which it was dialled."""

    generation: int
    has_channel: bool = False
    is_doomed: bool = False  # to be hung up as soon as there is a channel


class KnownCalls:
    """What is known of calls by their ids, and of their legs by the names of the channels."""

    def __init__(self) -> None:
        self._calls: dict[UUID, KnownCall] = {}
        self._channels: dict[UUID, Channel] = {}
        self._jobs: dict[UUID, UUID] = {}
        self._ended: deque[tuple[float, UUID, KnownCall]] = deque()

    def __len__(self) -> int:
        return len(self._calls)

    def dialled(self, dial: Dial, generation: int) -> None:
        """A call is about to be dialled."""
        self._sweep()
        self._calls[dial.call_id] = KnownCall(generation)
        self._jobs[job_of(dial.call_id)] = dial.call_id
        self._channels[dial.call_id] = Channel(dial.call_id, leg_of(dial))
        if dial.first is not None:
            self._channels[second_leg(dial.call_id)] = Channel(dial.call_id, Leg.TO)

    def seen(self, unique_id: UUID, channel: Channel) -> KnownCall:
        """A leg has a channel."""
        self._channels[unique_id] = channel
        call = self._calls.setdefault(channel.call_id, KnownCall(generation=0))
        call.has_channel = True
        return call

    def channel(self, unique_id: UUID) -> Channel | None:
        """Whose leg a channel is, as far as it is known."""
        return self._channels.get(unique_id)

    def call(self, call_id: UUID) -> KnownCall | None:
        """A call by its id."""
        return self._calls.get(call_id)

    def of_job(self, job: UUID) -> UUID | None:
        """The call for which the switch works under this name."""
        return self._jobs.get(job)

    def doom(self, call_id: UUID) -> None:
        """A call is to be hung up, also if its channel is only about to be made."""
        if call_id in self._calls:
            self._calls[call_id].is_doomed = True

    def ended(self, unique_id: UUID, call_id: UUID) -> None:
        """A leg is over; with the channel that has the call's own id, the call is."""
        call = self._calls.get(call_id)
        if call is not None and unique_id == call_id:
            self._ended.append((monotonic() + _KEPT_S, call_id, call))
        self._sweep()

    def forget(self, call_id: UUID) -> None:
        """A call is over, or was not dialled."""
        self._calls.pop(call_id, None)
        self._jobs.pop(job_of(call_id), None)
        self._channels.pop(call_id, None)
        self._channels.pop(second_leg(call_id), None)

    def _sweep(self) -> None:
        now = monotonic()
        while self._ended and self._ended[0][0] <= now:
            _, call_id, call = self._ended.popleft()
            if self._calls.get(call_id) is call:
                self.forget(call_id)
