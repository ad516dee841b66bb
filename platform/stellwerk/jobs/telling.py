"""Tells of a job's end: its operation's own hook, and those who listen.

They are told in the transaction that ends the job, each behind a savepoint. One that raises takes
neither the end nor the others along: what it wrote is undone, its end is owed, and dispatchers
tell it again, ever more rarely, until it hears.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Row, func, select, text

from stellwerk.db.engine import is_outage
from stellwerk.jobs.budget import while_time_lasts
from stellwerk.jobs.model import Job, JobLog, OwedEnd
from stellwerk.jobs.operation import Operation
from stellwerk.jobs.runtime import Runtime, Unit, unit
from stellwerk.jobs.storable import storable

log = structlog.get_logger()

BATCH = 50
FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 3600.0
BROKEN_PAUSE = timedelta(minutes=5)

_POSTPONE = text("""
    UPDATE job_ends_owed SET due_at = now() + :pause WHERE (job_id, party) IN (
        SELECT job_id, party FROM job_ends_owed WHERE job_id = :job_id AND party = :party
        FOR NO KEY UPDATE SKIP LOCKED)
""")


class Party(StrEnum):
    """Who is told of an end."""

    HOOK = "on_end"
    LISTENERS = "listeners"


def tell_end(runtime: Runtime, work: Unit, operation: Operation | None, ended: Row[Any]) -> None:
    """In the transaction that ends a job; `ended`: what the statement returned, by ENDED.

    `operation`: None where it is not known here; then it is owed to whoever knows it whether it
    has a hook. Raises only where the ledger is gone.
    """
    has_hook = operation is None or operation.on_end is not None
    parties = [Party.HOOK] * has_hook + [Party.LISTENERS] * ended.is_heard
    if not parties:
        return
    job = work.session.get_one(Job, ended.id, populate_existing=True)
    for party in parties:
        failure = _failure_of(runtime, work, job, party)
        if failure:
            _owe(work, job, OwedEnd(job_id=job.id, party=party.value, tries=1), failure)


def tell_owed(runtime: Runtime) -> int:
    """Tell those again who are due, for a while (budget.py); returns how many heard it."""
    query = select(OwedEnd.job_id, OwedEnd.party).where(OwedEnd.due_at <= func.now())
    with runtime.sessions() as session:
        due = session.execute(query.order_by(OwedEnd.due_at).limit(BATCH)).all()
    return sum(
        _unless_broken(runtime, row.job_id, Party(row.party)) for row in while_time_lasts(due)
    )


def _unless_broken(runtime: Runtime, job_id: UUID, party: Party) -> bool:
    """One that cannot even be owed anew must not keep the others from being told."""
    try:
        return _tell_again(runtime, job_id, party)
    except Exception as exc:
        if is_outage(exc):
            raise
        log.exception("an end cannot be told", job_id=str(job_id), party=party.value)
        values = {"job_id": job_id, "party": party.value, "pause": BROKEN_PAUSE}
        with runtime.sessions.begin() as session:
            session.execute(_POSTPONE, values)
        return False


def _tell_again(runtime: Runtime, job_id: UUID, party: Party) -> bool:
    """Whoever tells, owes or forgets an end holds its job's row."""
    with unit(runtime) as work:
        held = {"key_share": True, "skip_locked": True}
        job = work.session.get(Job, job_id, with_for_update=held)
        owed = job and work.session.get(OwedEnd, (job_id, party.value))
        if not job or not owed or owed.due_at > work.session.scalars(select(func.now())).one():
            return False  # another dispatcher was quicker, or it was retried or removed
        failure = _failure_of(runtime, work, job, party)
        if failure:
            owed.tries += 1
            _owe(work, job, owed, failure)
            return False
        work.session.delete(owed)
        work.session.add(_line(job, "info", f"{party} was told"))
        return True


def _failure_of(runtime: Runtime, work: Unit, job: Job, party: Party) -> Exception | None:
    """Tell it; returns what it raised, when nothing of what it did is left."""
    changed, wakeups = set(work.changed), list(work.wakeups)
    try:
        with work.session.begin_nested():
            _TELL[party](runtime, work, job)
    except Exception as exc:  # a domain's code: whatever it raises, the end stands
        if is_outage(exc):
            raise
        work.changed, work.wakeups = changed, wakeups
        _note(job, party, exc)
        return exc
    return None


def _note(job: Job, party: Party, failure: Exception) -> None:
    """In the process's log; what a sensitive job's hook says may tell of its data."""
    told = {"failure": type(failure).__name__} if job.is_sensitive else {"exc_info": failure}
    log.error("an end was not heard", job_id=str(job.id), party=party.value, **told)


def _owe(work: Unit, job: Job, owed: OwedEnd, failure: Exception) -> None:
    now = work.session.scalars(select(func.now())).one()
    pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (owed.tries - 1))
    owed.tried_at, owed.due_at = now, now + timedelta(seconds=pause_s)
    work.session.add(owed)
    reason = type(failure).__name__ + ("" if job.is_sensitive else f": {failure}")
    work.session.add(_line(job, "error", f"{owed.party} failed, it is tried again: {reason}"))


def _line(job: Job, level: str, message: str) -> JobLog:
    return JobLog(job_id=job.id, attempt=job.attempt, level=level, message=storable(message))


def _tell_hook(runtime: Runtime, work: Unit, job: Job) -> None:
    hook = runtime.registry.get(job.operation).on_end
    if hook:
        hook(work.session, job, runtime)


def _tell_listeners(runtime: Runtime, work: Unit, job: Job) -> None:
    for listener in runtime.ended:
        listener(runtime, work, job)


_TELL: Mapping[Party, Callable[[Runtime, Unit, Job], None]] = MappingProxyType(
    {Party.HOOK: _tell_hook, Party.LISTENERS: _tell_listeners}
)
