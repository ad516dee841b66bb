"""Time and identifiers, in one place so that tests can hold them still."""

import time
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID

import uuid_utils

_TIME_SHIFT = 80  # RFC 9562, 5.7: a UUIDv7 starts with 48 bits of milliseconds
_TIME_MAX_MS = 2**48 - 1


def utc_now() -> datetime:
    """The process's clock, in UTC; the ledger uses Postgres's instead."""
    return datetime.now(UTC)


def new_id() -> UUID:
    """A UUIDv7 (RFC 9562): sorts by the time it was made."""
    return UUID(bytes=uuid_utils.uuid7().bytes)


def id_at(moment: datetime, name: str) -> UUID:
    """A UUIDv7 of that moment which is the same for whoever gives it the same name."""
    value = lowest_id_since(moment).int | int.from_bytes(sha256(name.encode()).digest()[:10])
    value = value & ~(0xF << 76) | 7 << 76  # its version
    return UUID(int=value & ~(3 << 62) | 2 << 62)  # its variant


def new_id_text() -> str:
    """The same as text, at a fifth of the price."""
    return str(uuid_utils.uuid7())


def age_s(made: UUID | str) -> float:
    """Seconds since an id of `new_id` was made; of its text at a fifth of the price."""
    made_ms = int(made[:8] + made[9:13], 16) if isinstance(made, str) else made.int >> _TIME_SHIFT
    return time.time() - made_ms / 1000


def lowest_id_since(moment: datetime, *, margin_s: float = 0.0) -> UUID:
    """A bound: ids of `new_id` above it were made at that moment (and a margin) or later."""
    since_1970_ms = int((moment.timestamp() + margin_s) * 1000)
    return UUID(int=min(max(since_1970_ms, 0), _TIME_MAX_MS) << _TIME_SHIFT)


def rfc3339(moment: datetime | None) -> str | None:
    """`2026-01-31T12:00:00.000Z`; None stays None."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
