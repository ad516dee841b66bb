"""Gives a worker back while its job waits."""

from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from stellwerk.jobs.claims import FENCE, Claim
from stellwerk.jobs.interruptions import LeaseLost, Suspended
from stellwerk.jobs.lifecycle import hand_over, heed_cancel, lock
from stellwerk.jobs.runtime import Unit

_SUSPEND = text(f"""
    UPDATE jobs SET status = 'waiting', version = version + 1, wait_signal = :signal,
        wait_until = :until, awaits = :awaits, lease_until = NULL, lease_token = NULL,
        message = :message
    WHERE {FENCE} RETURNING id
""").bindparams(bindparam("awaits", type_=JSONB(none_as_null=True)))
_HAS_SIGNAL = text("""
    SELECT EXISTS (SELECT 1 FROM job_signals
        WHERE job_id = :id AND name = :signal AND consumed_at IS NULL)
""")


def suspend(work: Unit, claimed: Claim, wait: Suspended) -> None:
    """Store that the job waits; raises LeaseLost, or Cancelled where that was asked for.

    What it waits for may have come meanwhile: that is seen here, under the row's lock, and sends
    it on at once. Whoever ends a child or sends a signal takes the same lock.
    """
    lock(work.session, claimed)
    heed_cancel(work, claimed)
    if _has_come(work, claimed, wait):
        hand_over(work, claimed, reason=f"{wait.signal} has come")
        return
    values: dict[str, Any] = {
        "signal": wait.signal,
        "until": wait.until,
        "awaits": wait.awaited.as_json() if wait.awaited else None,
        "message": f"waiting for {wait.signal}",
    }
    if work.session.execute(_SUSPEND, claimed.fence | values).first() is None:
        raise LeaseLost
    work.changed.add(claimed.job_id)


def _has_come(work: Unit, claimed: Claim, wait: Suspended) -> bool:
    if wait.awaited:
        return wait.awaited.is_over(work.session, claimed.job_id)
    return bool(work.session.scalar(_HAS_SIGNAL, {"id": claimed.job_id, "signal": wait.signal}))
