"""Cancel, retry, signal and resolve on behalf of a caller."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Response

from stellwerk.audit.actions import Action
from stellwerk.clock import new_id, utc_now
from stellwerk.errors import NotPermitted
from stellwerk.jobs import control
from stellwerk.jobs.idempotency import reserve
from stellwerk.jobs.lineage import Parent
from stellwerk.jobs.model import JobSignal
from stellwerk.jobs.resolution import Resolution, resolve
from stellwerk.jobs.runtime import unit
from stellwerk.jobs.states import PublicStatus
from stellwerk.jobs.submission import chosen_queue
from stellwerk.webhooks.service import refuse_callbacks
from stellwerk_api.accepted import (
    accepted,
    count_operation,
    present_status,
    submit_for_caller,
    within,
)
from stellwerk_api.auth import caller
from stellwerk_api.context import platform
from stellwerk_api.idempotency import once, replayable
from stellwerk_api.jobs.reading import document, seen


def submitted(body: Mapping[str, Any]) -> Response:
    """Submit what `SubmissionBody` describes."""
    runtime, wanted = platform().runtime, {**body, "tags": tuple(body["tags"])}
    operation, payload = wanted.pop("operation"), wanted.pop("payload")
    wanted["parent"] = _parent(wanted.pop("parent"), wanted.pop("parent_key"))
    chosen_queue(runtime.registry.get(operation), body["queue"])
    refuse_callbacks(runtime, caller().user_id, {"callback_url": body["callback_url"]})
    with within("payload"):
        job_id = submit_for_caller(operation, payload, **wanted)
    return accepted(job_id, operation, status=first_status(body["run_at"]))


def _parent(job_id: UUID | None, key: str | None) -> Parent | None:
    """A job of the caller's own; without a key its children are told apart by chance."""
    if job_id is None:
        return None
    if seen(job_id).owner_id != caller().user_id:
        raise NotPermitted("The parent is shared with you to read, not to add to.")
    return Parent(job_id, key or str(new_id()))


def first_status(run_at: datetime | None) -> PublicStatus:
    """The status of a job that was accepted just now."""
    is_ahead = run_at is not None and run_at > utc_now()
    return PublicStatus.SCHEDULED if is_ahead else PublicStatus.QUEUED


def cancelled(job_id: UUID) -> Response:
    """Ask for the job's end."""
    operation = _managed(job_id)
    with replayable():
        control.cancel(platform().runtime, job_id, once=once(), by=caller().user_id)
    return _as_it_is(job_id, operation)


def retried(job_id: UUID) -> Response:
    """Queue it again."""
    operation = _managed(job_id)
    _require_operation(operation)
    count_operation(operation)
    with replayable():
        control.retry(platform().runtime, job_id, once=once(), by=caller().user_id)
    return _as_it_is(job_id, operation)


def signalled(job_id: UUID, body: Mapping[str, Any]) -> Response:
    """Send it a message."""
    operation = _managed(job_id)
    _require_operation(operation)
    control.ensure_small(platform().settings, body["data"])
    message = JobSignal(job_id=job_id, sender_id=caller().user_id, **body)
    runtime = platform().runtime
    with replayable(), unit(runtime) as work:
        reserve(work.session, once(), [job_id])
        job = control.locked(work.session, job_id)
        control.note_intervention(work.session, Action.JOB_SIGNALLED, job, caller().user_id)
        control.send_signal(runtime, work, job, message)
    return _as_it_is(job_id, operation)


def resolved(job_id: UUID, body: Mapping[str, Any]) -> Response:
    """Say what became of an effect."""
    operation = _managed(job_id)
    _require_operation(operation)
    resolution = Resolution(**body, resolver_id=caller().user_id)
    if not resolution.happened:
        count_operation(operation)  # it is done again
    with replayable():
        resolve(platform().runtime, job_id, resolution, once=once())
    return _as_it_is(job_id, operation)


def _managed(job_id: UUID) -> str:
    """The operation of a job that the caller may manage."""
    shown = seen(job_id)
    if shown.owner_id != caller().user_id and not caller().may("jobs:manage_all"):
        raise NotPermitted("The job is shared with you to read, not to manage.")
    return str(document(shown)["operation"])


def _require_operation(name: str) -> None:
    caller().require_operation(name, platform().runtime.registry.get(name).permission)


def _as_it_is(job_id: UUID, operation: str) -> Response:
    return accepted(job_id, operation, status=present_status(job_id))
