"""Time and identifiers, in one place so that tests can hold them still."""

from datetime import UTC, datetime
from uuid import UUID

import uuid_utils


def utc_now() -> datetime:
    """The process's clock, in UTC; the ledger uses Postgres's instead."""
    return datetime.now(UTC)


def new_id() -> UUID:
    """A UUIDv7 (RFC 9562): sorts by the time it was made."""
    return UUID(bytes=uuid_utils.uuid7().bytes)


def rfc3339(moment: datetime | None) -> str | None:
    """`2026-01-31T12:00:00.000Z`; None stays None."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
