"""What was heard of calls, each thing once, in the order in which it was stored."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from stellwerk.calls.model import CallEvent as Heard
from stellwerk.providers.calls.protocol import CallEvent, EventKind, Leg


def store(session: Session, events: Sequence[CallEvent]) -> set[UUID]:
    """The calls of which something is new."""
    if not events:
        return set()
    rows = [
        {
            "call_id": event.call_id,
            "key": event.key,
            "leg": event.leg.value,
            "kind": event.kind.value,
            "cause": event.cause,
            "billable_s": event.billable_s,
            "at": event.at,
        }
        for event in events
    ]
    stored = insert(Heard).values(rows).on_conflict_do_nothing().returning(Heard.call_id)
    return set(session.scalars(stored))


def read(session: Session, call_ids: Collection[UUID]) -> dict[UUID, list[CallEvent]]:
    """By call; nothing of those of which nothing was heard."""
    found: dict[UUID, list[CallEvent]] = {}
    query = select(Heard).where(Heard.call_id.in_(call_ids)).order_by(Heard.id)
    for row in session.scalars(query):
        event = CallEvent(
            call_id=row.call_id,
            leg=Leg(row.leg),
            kind=EventKind(row.kind),
            at=row.at,
            key=row.key,
            cause=row.cause,
            billable_s=row.billable_s,
        )
        found.setdefault(row.call_id, []).append(event)
    return found
