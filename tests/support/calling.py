"""Calls for tests: asked for, dialled by nobody, with events as a switch tells them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert

from stellwerk.bootstrap import Platform
from stellwerk.calls import dialing, service
from stellwerk.calls.model import Call, CallTrunk
from stellwerk.jobs.submission import Submission, submit
from stellwerk.providers.calls.protocol import CallEvent, Dial, EventKind, Leg

TRUNK, FENCE = "freeswitch", 1
NUMBER = "+493012341005"
_TIMES = ("asked_at", "dial_after", "intended_at", "created_at")
# Under a key that is not there, under another one than it says, and what never was a number.
SPOILT = {
    "key gone": "convert_to('00000000', 'UTF8') || substring(to_number FROM 9)",
    "other key": "overlay(to_number PLACING decode('00000000', 'hex') FROM 40)",
    "garbage": "decode('ff00ff00ff00ff00ff00ff', 'hex')",
}
BEGAN = datetime(2026, 11, 22, 12, tzinfo=UTC)


def originate(platform: Platform, user_id: int | None, to: str = NUMBER, **fields: Any) -> UUID:
    """Submit a job `calls.originate`; returns its id."""
    payload = {"to": to, **fields}
    return submit(platform.runtime, Submission("calls.originate", payload, user_id))


def call_of(platform: Platform, job_id: UUID) -> Call:
    """The job's call."""
    with platform.runtime.sessions() as session:
        return service.call_of_job(session, job_id)


def asked(platform: Platform, user_id: int, **fields: Any) -> Call:
    """A call that may be dialled from now on, as its handler leaves it."""
    job_id = originate(platform, user_id, **fields)
    with platform.runtime.sessions.begin() as session:
        service.ask(session, job_id)
    return call_of(platform, job_id)


def hold_trunk(platform: Platform, fence: int = FENCE) -> None:
    """Let somebody hold the trunk."""
    values = {"name": TRUNK, "holder": "tests", "fence": fence}
    statement = insert(CallTrunk).values(values)
    with platform.runtime.sessions.begin() as session:
        session.execute(
            statement.on_conflict_do_update(index_elements=["name"], set_={"fence": fence})
        )


def dialled(platform: Platform, user_id: int, **fields: Any) -> Dial:
    """A call with its intent stored."""
    hold_trunk(platform)
    call = asked(platform, user_id, **fields)
    (dial,) = [one for one in claim(platform) if one.call_id == call.id]
    return dial


def claim(platform: Platform, limit: int = 10) -> list[Dial]:
    """What is due."""
    return dialing.claim(platform.runtime, TRUNK, FENCE, limit)


def told(platform: Platform, *events: CallEvent) -> None:
    """Let the switch tell these at once."""
    dialing.record(platform.runtime, TRUNK, events)


def event(
    call_id: UUID,
    kind: EventKind,
    after_s: float = 0.0,
    *,
    leg: Leg = Leg.TO,
    cause: str | None = None,
    billable_s: int | None = None,
) -> CallEvent:
    """One thing that happened so long after the call began."""
    key = f"{leg}:{kind}:{after_s}"
    at = BEGAN + timedelta(seconds=after_s)
    return CallEvent(call_id, leg, kind, at, key, cause=cause, billable_s=billable_s)


def stored(platform: Platform, call_id: UUID) -> Call:
    """The call as it is now."""
    with platform.runtime.sessions() as session:
        return session.get_one(Call, call_id)


def let_pass(platform: Platform, call_id: UUID, seconds: float) -> None:
    """Let so much time have passed for the call."""
    moved = ", ".join(f"{name} = {name} - make_interval(secs => :by)" for name in _TIMES)
    statement = text(f"UPDATE calls SET {moved} WHERE id = :id")  # noqa: S608  names from here
    with platform.runtime.sessions.begin() as session:
        session.execute(statement, {"by": seconds, "id": call_id})


def spoil(platform: Platform, call_id: UUID, how: str = "key gone") -> None:
    """Let nobody be able any more to read the number that is called."""
    statement = text(f"UPDATE calls SET to_number = {SPOILT[how]} WHERE id = :id")  # noqa: S608  from here
    with platform.runtime.sessions.begin() as session:
        session.execute(statement, {"id": call_id})


def signals_of(platform: Platform, job_id: UUID) -> list[str]:
    """The names of the signals that the job was sent."""
    query = text("SELECT name FROM job_signals WHERE job_id = :id ORDER BY id")
    with platform.runtime.sessions() as session:
        return list(session.scalars(query, {"id": job_id}))


def costs_of(platform: Platform, job_id: UUID) -> list[Any]:
    """The job's cost lines: sequence, seconds and amount."""
    query = text(
        "SELECT sequence, quantity, amount FROM job_costs WHERE job_id = :id ORDER BY sequence"
    )
    with platform.runtime.sessions() as session:
        return [tuple(row) for row in session.execute(query, {"id": job_id})]


def calls_of(platform: Platform, user_id: int) -> list[Call]:
    """Every call of the user."""
    with platform.runtime.sessions() as session:
        return list(session.scalars(select(Call).where(Call.user_id == user_id)))


def timeline_of(platform: Platform, call_id: UUID) -> list[str]:
    """What happened in a call, in the order in which it was stored."""
    query = text("SELECT kind FROM call_events WHERE call_id = :id ORDER BY id")
    with platform.runtime.sessions() as session:
        return list(session.scalars(query, {"id": call_id}))
