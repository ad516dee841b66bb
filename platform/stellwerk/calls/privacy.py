"""What calls hold of a person: whom they called, and when; and how it is forgotten.

A call that is forgotten stays for the statistics: its course, its cause and its cost, with nobody's
number and nobody who made it.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from stellwerk.calls import causes
from stellwerk.calls.model import Call, CallEvent
from stellwerk.calls.settling import notify
from stellwerk.db.personal import BATCH, count, held
from stellwerk.settings import Settings

KEPT: Mapping[str, str] = MappingProxyType(
    {"calls": "Statistics count them; they name no number and nobody any more."}
)

_INNER = ("to_hash", "first_hash", "dials", "hangup_sent_at")
# The provider's name of it leads to the number there; it is needed until the call has ended.
_FORGOTTEN = """
    user_id = NULL, to_number = NULL, to_hash = NULL, first_number = NULL, first_hash = NULL,
    caller_id = NULL, provider_ref = CASE WHEN state IN ('dialing', 'ringing', 'answered')
        THEN provider_ref END
"""
# What is not dialled yet never is, and what is under way hangs up.
_ERASE = text(f"""
    UPDATE calls SET {_FORGOTTEN},
        state = CASE state WHEN 'queued' THEN 'cancelled' ELSE state END,
        cause = CASE state WHEN 'queued' THEN :cause ELSE cause END,
        ended_at = CASE state WHEN 'queued' THEN clock_timestamp() ELSE ended_at END,
        hangup_asked_at = CASE WHEN state IN ('dialing', 'ringing', 'answered')
            THEN coalesce(hangup_asked_at, clock_timestamp()) ELSE hangup_asked_at END
    WHERE id IN (
        SELECT id FROM calls WHERE user_id = :user_id ORDER BY id LIMIT :batch
        FOR NO KEY UPDATE)
""")  # noqa: S608  put together from constants only
_FORGET_OLD = text(f"""
    UPDATE calls SET {_FORGOTTEN} WHERE id IN (
        SELECT id FROM calls
        WHERE ended_at < now() - make_interval(days => :days)
            AND (to_number IS NOT NULL OR provider_ref IS NOT NULL)
        ORDER BY ended_at LIMIT :batch FOR NO KEY UPDATE SKIP LOCKED)
""")  # noqa: S608  put together from constants only


def export(session: Session, user_id: int) -> Mapping[str, Iterable[Mapping[str, Any]]]:
    """Calls with their numbers in clear, and what happened in each."""
    mine = Call.user_id == user_id
    events = CallEvent.call_id.in_(select(Call.id).where(mine))
    return {
        "calls": held(session, Call, mine, without=_INNER),
        "events": held(session, CallEvent, events, without=("key",)),
    }


def erase(session: Session, user_id: int) -> Mapping[str, int]:
    """Forget numbers and user of a batch, and end what is under way."""
    values = {"user_id": user_id, "batch": BATCH, "cause": causes.ORIGINATOR_CANCEL}
    forgotten = count(session.execute(_ERASE, values))
    if forgotten:
        notify(session)
    return {"calls": forgotten}


def forget_old(session: Session, settings: Settings) -> int:
    """Forget numbers and users of calls that ended long ago; how many, in a batch."""
    values = {"days": settings.call_numbers_kept_days, "batch": BATCH}
    return count(session.execute(_FORGET_OLD, values))
