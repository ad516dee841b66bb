"""Schedules: jobs that submit themselves."""

from typing import Any
from uuid import UUID

from flask import Response

from stellwerk.schedules import queries, service
from stellwerk.schedules.schemas import FireSchema, ScheduleFields, SchedulePatch, ScheduleSchema
from stellwerk_api.accepted import HEADERS, Accepted
from stellwerk_api.auth import caller, requires
from stellwerk_api.blueprint import Blueprint
from stellwerk_api.context import platform
from stellwerk_api.jobs.documents import JobDocument
from stellwerk_api.pagination import (
    PageQuery,
    moment_cursor,
    own_page,
    page,
    page_schema,
    uuid_cursor,
)
from stellwerk_api.schedules import changes

blueprint = Blueprint("schedules", url_prefix="/api/v1/schedules", description="Schedules")
EXAMPLE = {
    "name": "Every working day at half past seven",
    "operation": "diagnostics.echo",
    "payload": {"message": "good morning"},
    "cron": "30 7 * * 1-5",
    "time_zone": "Europe/Zurich",
}


@blueprint.get("")
@requires("schedules:read")
@blueprint.query(PageQuery)
@blueprint.answers(200, page_schema(ScheduleSchema))
@blueprint.raises(422)
def browse(query: dict[str, Any]) -> dict[str, Any]:
    """List your schedules, newest first."""
    return own_page(query, uuid_cursor, queries.schedules)


@blueprint.post("")
@requires("schedules:write")
@blueprint.body(ScheduleFields, example=EXAMPLE)
@blueprint.answers(201, ScheduleSchema)
@blueprint.raises(404)
def create(fields: dict[str, Any]) -> dict[str, Any]:
    """Create a schedule: `cron` with `time_zone`, or `interval_s`."""
    return changes.created(fields)


@blueprint.get("/<uuid:schedule_id>")
@requires("schedules:read")
@blueprint.answers(200, ScheduleSchema)
@blueprint.raises(404)
def show(schedule_id: UUID) -> dict[str, Any]:
    """Read one of your schedules: its next times, and what came of the last one."""
    with platform().runtime.sessions() as session:
        return queries.schedule(session, caller().user_id, schedule_id)


@blueprint.patch("/<uuid:schedule_id>")
@requires("schedules:write")
@blueprint.body(SchedulePatch, example={"cron": "0 8 * * 1-5"})
@blueprint.answers(200, ScheduleSchema)
@blueprint.raises(404)
def change(fields: dict[str, Any], schedule_id: UUID) -> dict[str, Any]:
    """Change what you send; the rest stays. A new timing counts from now on."""
    return changes.patched(schedule_id, fields)


@blueprint.delete("/<uuid:schedule_id>")
@requires("schedules:write")
@blueprint.answers(204)
@blueprint.raises(404)
def delete(schedule_id: UUID) -> Response:
    """Delete a schedule; the jobs it submitted stay."""
    return changes.deleted(schedule_id)


@blueprint.post("/<uuid:schedule_id>/pause")
@requires("schedules:write")
@blueprint.answers(200, ScheduleSchema)
@blueprint.raises(404)
def pause(schedule_id: UUID) -> dict[str, Any]:
    """Pause it; its running job goes on."""
    return changes.changed(schedule_id, service.pause)


@blueprint.post("/<uuid:schedule_id>/resume")
@requires("schedules:write")
@blueprint.answers(200, ScheduleSchema)
@blueprint.raises(404)
def resume(schedule_id: UUID) -> dict[str, Any]:
    """Let it go on; what passed meanwhile was not missed."""
    return changes.changed(schedule_id, service.resume)


@blueprint.post("/<uuid:schedule_id>/run")
@requires("schedules:write")
@blueprint.answers(202, Accepted, headers=HEADERS)
@blueprint.once()
@blueprint.waits(JobDocument)
@blueprint.raises(404, 409, 422)
def run(schedule_id: UUID) -> Response:
    """Submit its job now, whatever its timing and overlap policy say."""
    return changes.run(schedule_id)


@blueprint.get("/<uuid:schedule_id>/fires")
@requires("schedules:read")
@blueprint.query(PageQuery)
@blueprint.answers(200, page_schema(FireSchema))
@blueprint.raises(404, 422)
def fires(query: dict[str, Any], schedule_id: UUID) -> dict[str, Any]:
    """List the times at which it was due, newest first, with what came of each."""
    limit, before = query["limit"], moment_cursor(query["cursor"])
    with platform().runtime.sessions() as session:
        queries.schedule(session, caller().user_id, schedule_id)
        found = queries.fires(session, schedule_id, before=before, limit=limit + 1)
    return page(found, limit, "fire_at")


BLUEPRINTS = (blueprint,)
