"""Everybody who listens with a socket or a stream: on whose credentials, and until when."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stellwerk.errors import ErrorCode, LimitReached, Unavailable

RETRY_AFTER_S = 30
CLOCKS_DIFFER_S = 5.0  # the ledger's may see the end of a token before ours does


@dataclass(frozen=True, slots=True)
class Standing:
    """Whose credentials they are, and when they end by themselves (seconds since 1970)."""

    user_id: int
    credential: str
    expires_at: float | None

    @classmethod
    def of(cls, document: dict[str, Any]) -> "Standing":
        """Read web's answer to `GET /listeners/me`."""
        until = document["expires_at"]
        expires_at = datetime.fromisoformat(until).timestamp() if until else None
        return cls(document["user_id"], document["credential"], expires_at)

    def is_over_by(self, moment: float) -> bool:
        """Whether they have ended by themselves (seconds since 1970)."""
        return self.expires_at is not None and self.expires_at <= moment


@dataclass(eq=False, slots=True)
class Guest:
    """One who listens; `dismiss` is called with an error code when that has to end."""

    standing: Standing
    dismiss: Callable[[str], None]


class Guests:
    """All of them, up to a number in this process and to one for each user."""

    def __init__(self, *, most: int, most_per_user: int) -> None:
        self._most = most
        self._most_per_user = most_per_user
        self._present: set[Guest] = set()
        self._of_user: Counter[int] = Counter()

    def __len__(self) -> int:
        return len(self._present)

    def enter(self, guest: Guest) -> None:
        """Let somebody in; raises LimitReached and Unavailable."""
        user_id = guest.standing.user_id
        if self._of_user[user_id] >= self._most_per_user:
            message = f"You have {self._most_per_user} streams and sockets open. Close some."
            raise LimitReached(message, retry_after_s=RETRY_AFTER_S)
        if len(self._present) >= self._most:
            message = "Too many streams and sockets are open at this moment. Poll, or come back."
            raise Unavailable(message, retry_after_s=RETRY_AFTER_S)
        self._present.add(guest)
        self._of_user[user_id] += 1

    def leave(self, guest: Guest) -> None:
        """Somebody has gone; leaving twice is no error."""
        if guest not in self._present:
            return
        self._present.remove(guest)
        self._of_user[guest.standing.user_id] -= 1
        if not self._of_user[guest.standing.user_id]:
            del self._of_user[guest.standing.user_id]

    @contextmanager
    def entered(self, guest: Guest) -> Iterator[None]:
        """Let somebody in for the block; raises as `enter` does."""
        self.enter(guest)
        try:
            yield
        finally:
            self.leave(guest)

    def credentials(self) -> set[str]:
        """What they all showed."""
        return {guest.standing.credential for guest in self._present}

    def dismiss_with(self, ended: Collection[str]) -> None:
        """End those whose credentials have ended."""
        for guest in [guest for guest in self._present if guest.standing.credential in ended]:
            has_expired = guest.standing.is_over_by(time.time() + CLOCKS_DIFFER_S)
            self._dismiss(guest, has_expired=has_expired)

    def dismiss_expired(self) -> None:
        """End those whose time is over."""
        now = time.time()
        for guest in [guest for guest in self._present if guest.standing.is_over_by(now)]:
            self._dismiss(guest, has_expired=True)

    def _dismiss(self, guest: Guest, *, has_expired: bool) -> None:
        self.leave(guest)
        guest.dismiss(ErrorCode.TOKEN_EXPIRED if has_expired else ErrorCode.NOT_AUTHENTICATED)
