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
    {
        "calls": (
            "Statistics count them; they name nobody any more, and no number once they have ended: "
            "one under way is hung up first. A carrier that carried them (Twilio, Telnyx) keeps "
            "records of its own, by its own rules: have them removed there."
        ),
        "recordings_left": (
            "Plain recordings of erased people's calls that no worker may delete, or that a switch "
            "still makes: each housekeeping tries again, and warns. Have them removed there."
        ),
    }
)

_INNER = ("to_hash", "first_hash", "has_first", "dials", "seen_at", "hangup_sent_at")
# Until the call has ended the numbers and the provider's name of it are needed to find it there;
# settling.py forgets them then.
_UNDER_WAY = "state IN ('dialing', 'ringing', 'answered')"
_UNHEARD = f"is_uncertain OR cause = '{causes.LOST}'"
_NOBODYS = "user_id = NULL, to_hash = NULL, first_hash = NULL"
_NUMBERLESS = "to_number = NULL, first_number = NULL, caller_id = NULL, provider_ref = NULL"
# What is not dialled yet never is, and what is under way hangs up.
_ERASE = text(f"""
    UPDATE calls SET {_NOBODYS},
        to_number = CASE WHEN {_UNDER_WAY} THEN to_number END,
        first_number = CASE WHEN {_UNDER_WAY} THEN first_number END,
        caller_id = CASE WHEN {_UNDER_WAY} THEN caller_id END,
        provider_ref = CASE WHEN {_UNDER_WAY} OR {_UNHEARD} THEN provider_ref END,
        state = CASE state WHEN 'queued' THEN 'cancelled' ELSE state END,
        cause = CASE state WHEN 'queued' THEN :cause ELSE cause END,
        ended_at = CASE state WHEN 'queued' THEN clock_timestamp() ELSE ended_at END,
        hangup_asked_at = CASE WHEN {_UNDER_WAY}
            THEN coalesce(hangup_asked_at, clock_timestamp()) ELSE hangup_asked_at END
    WHERE id IN (
        SELECT id FROM calls WHERE user_id = :user_id ORDER BY id LIMIT :batch
        FOR NO KEY UPDATE)
""")  # noqa: S608  put together from constants only
_FORGET_OLD = text(f"""
    UPDATE calls SET {_NOBODYS}, {_NUMBERLESS} WHERE id IN (
        SELECT id FROM calls
        WHERE ended_at < now() - make_interval(days => :days)
            AND (to_number IS NOT NULL OR provider_ref IS NOT NULL)
        ORDER BY ended_at LIMIT :batch FOR NO KEY UPDATE SKIP LOCKED)
""")  # noqa: S608  put together from constants only
# Of an erased call whose end nobody heard, and that may have had to be hung up for a day.
_FORGET_ERASED = text(f"""
    UPDATE calls SET {_NUMBERLESS} WHERE id IN (
        SELECT id FROM calls
        WHERE user_id IS NULL AND ended_at < now() - interval '1 day'
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
    """Forget numbers and user of a batch, and end what is under way: its numbers go then."""
    values = {"user_id": user_id, "batch": BATCH, "cause": causes.ORIGINATOR_CANCEL}
    forgotten = count(session.execute(_ERASE, values))
    if forgotten:
        notify(session)
    return {"calls": forgotten}


def forget_old(session: Session, settings: Settings) -> int:
    """Forget numbers and users of calls that ended long ago; how many, in a batch."""
    values = {"days": settings.call_numbers_kept_days, "batch": BATCH}
    erased = count(session.execute(_FORGET_ERASED, {"batch": BATCH}))
    return erased + count(session.execute(_FORGET_OLD, values))
