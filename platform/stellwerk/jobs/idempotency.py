"""Requests that may be sent again: the same key and body are carried out once.

The key's row is written in the transaction of what it stands for, so nothing is stored for a
refused request. Of several at the same time one holds the key's advisory lock; the others are
refused rather than kept waiting.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from stellwerk.errors import Conflict, ErrorCode, InvalidInput

RETRY_AFTER_S = 1


@dataclass(frozen=True, slots=True)
class Once:
    """A request by its sender, route and key; `body_marks` tell whether another is the same.

    The first of them is stored; the others are those of keys that were in use before.
    """

    owner_id: int
    route: str
    key: str
    body_marks: tuple[str, ...]
    kept_s: int

    def values(self, job_ids: Sequence[UUID]) -> dict[str, Any]:
        """What the statements below are given."""
        return {
            "key_owner": self.owner_id,
            "key_route": self.route,
            "key": self.key,
            "key_hmac": self.body_marks[0],
            "key_jobs": list(job_ids),
            "key_kept": timedelta(seconds=self.kept_s),
        }


class Replayed(Exception):
    """The request was carried out before; nothing was done now. `job_ids` are its jobs."""

    def __init__(self, job_ids: Sequence[UUID]) -> None:
        super().__init__("The request was carried out before.")
        self.job_ids = tuple(job_ids)


# Gives no row where the key is known, or held by a transaction under way.
RESERVE = """
    INSERT INTO idempotency_keys (owner_id, route, key, body_hmac, job_ids, expires_at)
    SELECT :key_owner, :key_route, :key, :key_hmac, CAST(:key_jobs AS uuid[]), now() + :key_kept
    WHERE pg_try_advisory_xact_lock(
        hashtextextended(concat_ws(chr(31), :key_owner, :key_route, :key), 0))
    ON CONFLICT (owner_id, route, key) DO UPDATE SET body_hmac = excluded.body_hmac,
        job_ids = excluded.job_ids, created_at = now(), expires_at = excluded.expires_at
        WHERE idempotency_keys.expires_at <= now()
    RETURNING expires_at
"""
TYPES = {
    "key_owner": "int",
    "key_route": "text",
    "key": "text",
    "key_hmac": "text",
    "key_jobs": "uuid[]",
    "key_kept": "interval",
}
_RESERVE = text(RESERVE)
_NAME_JOBS = text("""
    UPDATE idempotency_keys SET job_ids = CAST(:key_jobs AS uuid[])
    WHERE owner_id = :key_owner AND route = :key_route AND key = :key
""")
_KNOWN = text("""
    SELECT body_hmac, job_ids FROM idempotency_keys
    WHERE owner_id = :key_owner AND route = :key_route AND key = :key AND expires_at > now()
""")


def reserve(session: Session, once: Once | None, job_ids: Sequence[UUID]) -> None:
    """Let this transaction carry the request out; before anything else is done in it.

    Raises Replayed, InvalidInput (IDEMPOTENCY_KEY_REUSED), Conflict (IDEMPOTENCY_KEY_IN_USE).
    """
    if once and not session.execute(_RESERVE, once.values(job_ids)).first():
        raise found(session, once)


def name_jobs(session: Session, once: Once | None, job_ids: Sequence[UUID]) -> None:
    """Write down the jobs of a reserved request, where they were not known before."""
    if once:
        session.execute(_NAME_JOBS, once.values(job_ids))


def is_repeat(session: Session, once: Once) -> bool:
    """Whether the same request was carried out before."""
    return isinstance(found(session, once), Replayed)


def found(session: Session, once: Once) -> Exception:
    """Why the key could not be reserved, to be raised."""
    known = session.execute(_KNOWN, once.values(())).first()
    if known is None:
        message = "A request with this Idempotency-Key is under way. Send it again."
        code = ErrorCode.IDEMPOTENCY_KEY_IN_USE
        return Conflict(message, code=code, retry_after_s=RETRY_AFTER_S)
    if known.body_hmac not in once.body_marks:
        message = "This Idempotency-Key was used with another body. Choose a new one."
        return InvalidInput(message, code=ErrorCode.IDEMPOTENCY_KEY_REUSED)
    return Replayed(known.job_ids)
