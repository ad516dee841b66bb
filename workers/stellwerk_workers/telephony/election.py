"""Which of the telephony processes speaks to the switch: whoever holds the lease on its row."""

import os
import platform
import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from sqlalchemy import text

from stellwerk.calls.settling import CHANNEL
from stellwerk.db.engine import Sessions

RENEWALS = 4  # in the time of a lease

_KNOW = text("INSERT INTO call_trunks (name) VALUES (:name) ON CONFLICT DO NOTHING")
# Above all that were, also where a restored ledger has forgotten the last of them.
_TAKE = text("""
    UPDATE call_trunks SET holder = :holder,
        fence = greatest(fence + 1, CAST(
            extract(epoch FROM clock_timestamp() - timestamptz '2026-01-01 00:00:00Z') AS int)),
        held_until = clock_timestamp() + :lease
    WHERE name = :name AND (held_until IS NULL OR held_until < clock_timestamp())
    RETURNING fence, held_until
""")
_RENEW = text("""
    UPDATE call_trunks SET held_until = clock_timestamp() + :lease
    WHERE name = :name AND fence = :fence AND holder = :holder RETURNING held_until
""")
_GIVE_BACK = text("""
    UPDATE call_trunks SET held_until = NULL, holder = NULL
    WHERE name = :name AND fence = :fence AND holder = :holder
""")
_NOTIFY = text("SELECT pg_notify(:channel, '')")


class Lease:
    """The right to dial over one trunk, for `lease_s` from when it was asked for.

    A process that was frozen finds by its own clock that the right is gone, without asking anybody.
    """

    def __init__(self, sessions: Sessions, trunk: str, lease_s: float) -> None:
        self.lease_s = lease_s
        self.fence = 0
        self._since = self._until = datetime.max.replace(tzinfo=UTC)  # the ledger's clock
        self.holder = f"{platform.node()}:{os.getpid()}:{uuid4().hex[:8]}"
        self._sessions = sessions
        self._trunk = trunk
        self._taken_at = self._deadline = 0.0  # monotonic
        self._is_retired = False

    def leaves(self, seconds: float) -> bool:
        """Whether it will hold for so long."""
        return time.monotonic() + seconds < self._deadline

    def covers(self, moment: datetime) -> bool:
        """Whether certainly nobody else held it then; the moment is by the ledger's clock."""
        return self._since <= moment < self._until

    def ledgers_now(self) -> datetime:
        """The ledger's clock since the lease was taken: late by a round trip, never early."""
        return self._since + timedelta(seconds=time.monotonic() - self._taken_at)

    def take(self) -> bool:
        """Become the holder, unless somebody is; raises SQLAlchemyError."""
        asked_at = time.monotonic()
        with self._sessions.begin() as session:
            session.execute(_KNOW, {"name": self._trunk})
            taken = session.execute(_TAKE, self._values).one_or_none()
        if taken is None:
            return False
        self.fence, self._until = taken.fence, taken.held_until
        self._since = taken.held_until - timedelta(seconds=self.lease_s)
        self._taken_at, self._deadline = time.monotonic(), asked_at + self.lease_s
        return True

    def renew(self) -> bool:
        """Hold it for longer, also where it had run out and nobody took it; raises SQLAlchemyError.

        False: somebody else holds it, or it is retired.
        """
        asked_at = time.monotonic()
        with self._sessions.begin() as session:
            until = session.scalar(_RENEW, self._values)
        if until is None or self._is_retired:
            self._deadline = 0.0
            return False
        self._until, self._deadline = until, asked_at + self.lease_s
        return True

    def retire(self) -> None:
        """Nothing more is to be dialled."""
        self._deadline, self._is_retired = 0.0, True

    def give_back(self) -> None:
        """Let another take it at once; raises SQLAlchemyError."""
        with self._sessions.begin() as session:
            session.execute(_GIVE_BACK, self._values)
            session.execute(_NOTIFY, {"channel": CHANNEL})

    @property
    def _values(self) -> dict[str, object]:
        return {
            "name": self._trunk,
            "holder": self.holder,
            "fence": self.fence,
            "lease": timedelta(seconds=self.lease_s),
        }
