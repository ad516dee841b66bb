"""What the trunks of all carriers have in common."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlencode
from uuid import UUID

from stellwerk.errors import ProviderRejected, ProviderUnavailable
from stellwerk.providers.calls.callbacks import PATH
from stellwerk.providers.calls.protocol import Dial
from stellwerk.providers.calls.rounds import Pace

ACCURACY_S = 5.0  # by which a carrier's clock may be off ours
SETTLED_S = 60.0  # after an order was sent, whatever it began can be seen
SPARSE = Pace(every_s=30.0)  # where events come by themselves


@dataclass(frozen=True, slots=True)
class Manner:
    """How calls are made. `public_url`: where the carrier reaches us; empty: it does not."""

    dials_per_s: float
    caller_id: str = ""
    public_url: str = ""
    pace: Pace = field(default_factory=Pace)

    def callback_url(self, carrier: str, call_id: UUID, **also: str) -> str | None:
        """Where events of a call are to be sent; None where nobody would get them."""
        if not self.public_url:
            return None
        asked: Mapping[str, str] = {"call": str(call_id), **also}
        return f"{self.public_url}{PATH}/{carrier}?{urlencode(asked)}"

    def polling(self) -> Pace:
        """How often to ask."""
        return SPARSE if self.public_url else self.pace

    def caller_of(self, dial: Dial) -> str:
        """The number that is shown; raises ProviderRejected where there is none."""
        found = dial.caller_id or self.caller_id
        if not found:
            raise ProviderRejected(
                "A carrier needs a number to show: send `caller_id`, or set a default one."
            )
        return found


def refuse_recording(dial: Dial) -> None:
    """Raise ProviderRejected: what a carrier records stays there, so it is no file of a job."""
    if dial.recording is not None:
        raise ProviderRejected(
            "Calls over a carrier are not recorded: leave out `record`, or have calls carried by "
            "FreeSWITCH."
        )


def require_settled(since: datetime) -> None:
    """Raise ProviderUnavailable while what an order began may yet come to be seen."""
    left_s = SETTLED_S - (datetime.now(UTC) - since).total_seconds()
    if left_s > 0:
        raise ProviderUnavailable("It is too early to tell.", retry_after_s=left_s)
