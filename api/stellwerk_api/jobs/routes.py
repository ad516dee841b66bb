"""`/api/v1/jobs`."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import Response
from werkzeug.exceptions import NotAcceptable

from stellwerk.configuration.rates import RateClass
from stellwerk.jobs.queries import API
from stellwerk_api.accepted import HEADERS, Accepted
from stellwerk_api.auth import caller, requires
from stellwerk_api.blueprint import Blueprint
from stellwerk_api.documentation.examples import JOB
from stellwerk_api.documentation.parameters import (
    IF_NONE_MATCH,
    IF_RANGE,
    LAST_EVENT_ID,
    PREFER,
    RANGE,
)
from stellwerk_api.idempotency import REPLAYED
from stellwerk_api.jobs import managing
from stellwerk_api.jobs.artifacts import served
from stellwerk_api.jobs.bulk import submitted_all
from stellwerk_api.jobs.documents import ArtifactList, JobDocument, JobPage, LogSchema, StepList
from stellwerk_api.jobs.listing import born, listed, logged
from stellwerk_api.jobs.reading import document, looked_at, polled, seen
from stellwerk_api.jobs.requeueing import RequeueAnswer, RequeueBody, requeued
from stellwerk_api.jobs.schemas import (
    AcceptedJobs,
    BulkBody,
    JobQuery,
    LogQuery,
    ResolutionBody,
    SignalBody,
    SingleBody,
    StatusQuery,
    WaitQuery,
)
from stellwerk_api.json_answers import json_answer

jobs = Blueprint("jobs", url_prefix=f"{API}/jobs", description="Submit, poll, control.")
BLUEPRINTS = (jobs,)

BULK = {
    "jobs": [
        {"operation": "diagnostics.echo", "payload": {"message": "first"}},
        {"operation": "diagnostics.sleep", "payload": {"seconds": 1}, "queue": "long_low"},
    ]
}
ECHO = {"operation": "diagnostics.echo", "payload": {"message": "hello"}}
STREAM_ALONE = "Events are a stream: ask the platform's public port with Accept: text/event-stream."
APPROVAL = {"name": "approved", "data": {"by": "ada"}}
FINDING = {"effect": "dial", "happened": True, "output": {"call": 7}, "note": "They rang back."}


@jobs.post("")
@requires("jobs:submit", submits=True)
@jobs.body(SingleBody, example=ECHO)
@jobs.answers(202, Accepted, headers=HEADERS)
@jobs.once()
@jobs.waits(JobDocument)
@jobs.raises(402, 404, 409, 429)
def submit(body: Mapping[str, Any]) -> Response:
    """Submit a job for any operation.

    It is durable when this is answered. `GET /operations` lists what can be submitted. With
    `parent` it becomes a child of that job.
    """
    return managing.submitted(body)


@jobs.post("/bulk")
@requires("jobs:submit", submits=True)
@jobs.body(BulkBody, example=BULK)
@jobs.answers(202, AcceptedJobs, headers=("Retry-After", REPLAYED))
@jobs.once()
@jobs.raises(402, 404, 429)
def submit_many(body: Mapping[str, Any]) -> Response:
    """Submit up to 1,000 jobs, all of them or none.

    A refusal names each wrong entry: `jobs.17.payload.message`. The body may be 1 MiB long, so a
    thousand jobs have about a kilobyte each.
    """
    return submitted_all(body["jobs"])


@jobs.get("")
@requires("jobs:read")
@jobs.query(JobQuery)
@jobs.answers(200, JobPage)
def browse(query: Mapping[str, Any]) -> Response:
    """List jobs, newest first."""
    return json_answer(listed(query))


@jobs.post("/requeue")
@requires("jobs:manage_all")
@jobs.body(RequeueBody, example={"error_code": "PROVIDER_UNAVAILABLE", "dry_run": True})
@jobs.answers(200, RequeueAnswer)
@jobs.raises(409)
def requeue(body: Mapping[str, Any]) -> Response:
    """Queue everybody's ended jobs again by what they have in common, a page at a time."""
    return requeued(body)


@jobs.get("/<uuid:job_id>")
@requires("jobs:read", counts=RateClass.POLLS)
@jobs.answers(200, JobDocument, headers=("ETag", "Retry-After"), example=JOB)
@jobs.also(304, "The document is still the one that If-None-Match names.", ("ETag", "Retry-After"))
@jobs.reads(PREFER, IF_NONE_MATCH)
@jobs.query(WaitQuery)
@jobs.raises(404, 410)
def poll(query: Mapping[str, Any], job_id: UUID) -> Response:
    """Look at a job; `Retry-After` says when to look again."""
    del query  # the realtime process waits; here it is only checked and documented
    return polled(job_id)


@jobs.post("/<uuid:job_id>/cancel")
@requires("jobs:manage")
@jobs.answers(202, Accepted, headers=HEADERS)
@jobs.once()
@jobs.waits(JobDocument)
@jobs.raises(404, 409, 410)
def cancel(job_id: UUID) -> Response:
    """Cancel a job: at once where no worker holds it, else within seconds."""
    return managing.cancelled(job_id)


@jobs.post("/<uuid:job_id>/retry")
@requires("jobs:manage")
@jobs.answers(202, Accepted, headers=HEADERS)
@jobs.once()
@jobs.waits(JobDocument)
@jobs.raises(402, 404, 409, 410)
def retry(job_id: UUID) -> Response:
    """Queue a failed or cancelled job again; steps that were done are not run again."""
    return managing.retried(job_id)


@jobs.post("/<uuid:job_id>/signal")
@requires("jobs:manage")
@jobs.body(SignalBody, example=APPROVAL)
@jobs.answers(202, Accepted, headers=HEADERS)
@jobs.once()
@jobs.waits(JobDocument)
@jobs.raises(404, 409, 410)
def signal(body: Mapping[str, Any], job_id: UUID) -> Response:
    """Send a named message to a job that waits for it, or will."""
    return managing.signalled(job_id, body)


@jobs.post("/<uuid:job_id>/resolve")
@requires("jobs:manage")
@jobs.body(ResolutionBody, example=FINDING)
@jobs.answers(202, Accepted, headers=HEADERS)
@jobs.once()
@jobs.waits(JobDocument)
@jobs.raises(402, 404, 409, 410)
def resolve(body: Mapping[str, Any], job_id: UUID) -> Response:
    """Say whether an uncertain effect happened; the job goes on from there.

    For jobs that failed with `EFFECT_UNCERTAIN`: `error.details` names the effect.
    """
    return managing.resolved(job_id, body)


@jobs.get("/<uuid:job_id>/events")
@requires("jobs:read", counts=RateClass.POLLS)
@jobs.answers(200, {"type": "string"}, content_type="text/event-stream")
@jobs.also(204, "The job has ended, and nothing follows the event that `Last-Event-ID` names.")
@jobs.reads(LAST_EVENT_ID)
@jobs.raises(404, 406, 410, 429)
def events(job_id: UUID) -> Response:
    """Follow a job as server-sent events.

    Send `Accept: text/event-stream`. Resume with `Last-Event-ID`.
    """
    seen(job_id)
    raise NotAcceptable(STREAM_ALONE)


@jobs.get("/events")
@requires("jobs:read", counts=RateClass.POLLS)
@jobs.answers(200, {"type": "string"}, content_type="text/event-stream")
@jobs.raises(406, 429)
def own_events() -> Response:
    """Follow all of one's own jobs as server-sent events.

    Send `Accept: text/event-stream`. Each connection begins with the newest jobs.
    """
    raise NotAcceptable(STREAM_ALONE)


@jobs.get("/<uuid:job_id>/logs")
@requires("jobs:read")
@jobs.query(LogQuery)
@jobs.answers(200, LogSchema)
@jobs.raises(404, 410)
def logs(query: Mapping[str, Any], job_id: UUID) -> Response:
    """Read what the job's handlers wrote down."""
    is_own = looked_at(job_id).owner_id == caller().user_id
    return json_answer(logged(job_id, query, is_own=is_own))


@jobs.get("/<uuid:job_id>/steps")
@requires("jobs:read")
@jobs.answers(200, StepList)
@jobs.raises(404, 410)
def steps(job_id: UUID) -> Response:
    """List the job's steps."""
    return json_answer({"items": document(seen(job_id))["steps"]})


@jobs.get("/<uuid:job_id>/children")
@requires("jobs:read")
@jobs.query(StatusQuery)
@jobs.answers(200, JobPage)
@jobs.raises(404, 410)
def children(query: Mapping[str, Any], job_id: UUID) -> Response:
    """List the jobs that were made for this one, newest first."""
    seen(job_id)
    return json_answer(born(job_id, query))


@jobs.get("/<uuid:job_id>/artifacts")
@requires("jobs:read")
@jobs.answers(200, ArtifactList)
@jobs.raises(404, 410)
def artifacts(job_id: UUID) -> Response:
    """List the files the job made."""
    return json_answer({"items": document(seen(job_id))["artifacts"]})


@jobs.get("/<uuid:job_id>/artifacts/<name>")
@requires("jobs:read")
@jobs.answers(
    200,
    {"type": "string", "format": "binary"},
    content_type="application/octet-stream",
    headers=("ETag", "Accept-Ranges", "Content-Disposition"),
)
@jobs.also(206, "A part of the file.", ("Content-Range", "ETag"))
@jobs.also(304, "The version in If-None-Match is still the one.", ("ETag",))
@jobs.reads(RANGE, IF_RANGE, IF_NONE_MATCH)
@jobs.raises(404, 410, 416)
def artifact(job_id: UUID, name: str) -> Response:
    """Download a file, whole or in ranges."""
    return served(job_id, name)
