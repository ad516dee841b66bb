"""What callers do to their schedules, each in one transaction."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Response
from sqlalchemy.orm import Session

from stellwerk.jobs.idempotency import Replayed, name_jobs, reserve
from stellwerk.jobs.runtime import Unit, unit
from stellwerk.schedules import firing, queries, service
from stellwerk.schedules.model import Schedule
from stellwerk.webhooks.service import refuse_callbacks
from stellwerk_api.accepted import accepted, count_operation
from stellwerk_api.auth import caller
from stellwerk_api.context import platform
from stellwerk_api.idempotency import once, replay

CALLBACK = "callback_url"


def created(fields: dict[str, Any]) -> dict[str, Any]:
    """A new schedule of the caller, who has to be allowed to submit its operation."""
    here, sender = platform(), caller()
    operation = here.runtime.registry.get(fields["operation"])
    sender.require_operation(operation.name, operation.permission)
    refuse_callbacks(here.runtime, sender.user_id, {CALLBACK: fields.get(CALLBACK)})
    with here.runtime.sessions.begin() as session:
        made = service.create(
            session,
            here.runtime.registry,
            sender.user_id,
            fields,
            limit=here.settings.schedules_limit,
        )
        session.flush()
        return queries.schedule(session, sender.user_id, made.id)


def patched(schedule_id: UUID, fields: dict[str, Any]) -> dict[str, Any]:
    """One of the caller's schedules, with these fields set."""
    runtime = platform().runtime
    refuse_callbacks(runtime, caller().user_id, {CALLBACK: fields.get(CALLBACK)})
    return changed(
        schedule_id, lambda session, row: service.change(session, runtime.registry, row, fields)
    )


def changed(schedule_id: UUID, change: Callable[[Session, Schedule], None]) -> dict[str, Any]:
    """One of the caller's schedules, after the change."""
    user_id = caller().user_id
    with platform().runtime.sessions.begin() as session:
        schedule = queries.own(session, user_id, schedule_id)
        _require_operation(schedule)
        change(session, schedule)
        session.flush()
        return queries.schedule(session, user_id, schedule_id)


def deleted(schedule_id: UUID) -> Response:
    """It is due no more; its jobs stay."""
    with platform().runtime.sessions.begin() as session:
        session.delete(queries.own(session, caller().user_id, schedule_id))
    return Response(status=204)


def run(schedule_id: UUID) -> Response:
    """Submit its job now."""
    with unit(platform().runtime) as work:
        schedule = queries.own(work.session, caller().user_id, schedule_id)
        _require_operation(schedule)
        job_id = _run_once(work, schedule)
    return accepted(job_id, schedule.operation)


def _run_once(work: Unit, schedule: Schedule) -> UUID:
    try:
        reserve(work.session, once(), ())
    except Replayed as exc:
        return replay(exc)[0]
    count_operation(schedule.operation)
    job_id = firing.run_now(platform().runtime, work, schedule)
    name_jobs(work.session, once(), [job_id])
    return job_id


def _require_operation(schedule: Schedule) -> None:
    permission = platform().runtime.registry.get(schedule.operation).permission
    caller().require_operation(schedule.operation, permission)
