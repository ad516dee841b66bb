"""Calls as they are dialled, and the numbers of any, in clear.

A number that can not be read (its key is gone, or it is corrupt) is nobody else's trouble.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import structlog
from sqlalchemy import CTE, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from stellwerk.calls.model import Call, CallTrunk
from stellwerk.db.encrypted import is_unreadable
from stellwerk.jobs.runtime import Runtime
from stellwerk.providers.calls.protocol import Dial

log = structlog.get_logger()


class Numbers(NamedTuple):
    """Of a call; all of them None where they can not be read, or are forgotten."""

    to: str | None = None
    first: str | None = None
    caller_id: str | None = None


UNKNOWN = Numbers()
DIALLED = (
    Call.id,
    Call.has_first,
    Call.ring_timeout_s,
    Call.max_duration_s,
    Call.is_recorded,
    Call.dials,
    Call.asked_at,
)


def fenced(trunk: str, fence: int) -> CTE:
    """The trunk's row while its fence is this one, which it stays until the transaction ends."""
    return (
        select(CallTrunk.name, CallTrunk.is_simulated)
        .where(CallTrunk.name == trunk, CallTrunk.fence == fence)
        .with_for_update(read=True)
        .cte("held")
    )


def planned(runtime: Runtime, call: Call) -> Dial:
    """A call as it will be dialled, before it is stored."""
    return Dial(
        call_id=call.id,
        to=call.to_number or "",
        first=call.first_number,
        caller_id=call.caller_id,
        ring_timeout_s=call.ring_timeout_s,
        max_duration_s=call.max_duration_s,
        recording=_recording(runtime, call.id) if call.is_recorded else None,
    )


def dials_of(runtime: Runtime, session: Session, rows: Sequence[Any]) -> list[Dial]:
    """Calls by their columns DIALLED; the numbers of those that can not be read are empty."""
    numbers = numbers_of(session, [row.id for row in rows])
    return [_dial(runtime, row, numbers.get(row.id, UNKNOWN)) for row in rows]


def _dial(runtime: Runtime, row: Any, numbers: Numbers) -> Dial:
    return Dial(
        call_id=row.id,
        to=numbers.to or "",
        first=(numbers.first or "") if row.has_first else None,
        caller_id=numbers.caller_id,
        ring_timeout_s=row.ring_timeout_s,
        max_duration_s=row.max_duration_s,
        recording=_recording(runtime, row.id) if row.is_recorded else None,
        attempt=row.dials,
    )


def numbers_of(session: Session, call_ids: Sequence[UUID]) -> dict[UUID, Numbers]:
    """By call, where they can be read: all at once, or else in halves."""
    if not call_ids:
        return {}
    query = select(Call.id, Call.to_number, Call.first_number, Call.caller_id)
    try:
        with session.begin_nested():
            found = session.execute(query.where(Call.id.in_(call_ids))).all()
            return {call_id: Numbers(*numbers) for call_id, *numbers in found}
    except DBAPIError as exc:
        if not is_unreadable(exc):
            raise
    if len(call_ids) == 1:
        log.error("the numbers of a call can not be read", call_id=str(call_ids[0]))
        return {}
    middle = len(call_ids) // 2
    return numbers_of(session, call_ids[:middle]) | numbers_of(session, call_ids[middle:])


def _recording(runtime: Runtime, call_id: UUID) -> Path:
    return runtime.settings.call_recordings_dir / f"{call_id}.wav"
