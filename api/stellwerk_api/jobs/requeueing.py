"""Queueing ended jobs again by filter, for operators."""

from collections.abc import Mapping
from typing import Any

from flask import Response
from marshmallow import Schema, fields, validate

from celeryconfig import QUEUES
from stellwerk.fields import Flag, Instant
from stellwerk.jobs.requeue import EndedJobs, find, requeue
from stellwerk.jobs.states import JobStatus
from stellwerk_api.auth import caller
from stellwerk_api.context import platform
from stellwerk_api.json_answers import json_answer

REQUEUE_MOST = 1000
INT_MAX = 2**31 - 1


class RequeueBody(Schema):
    """Which ended jobs: those that meet every condition, the oldest first."""

    status = fields.Enum(
        JobStatus,
        by_value=True,
        load_default=JobStatus.FAILED,
        validate=validate.OneOf([JobStatus.FAILED, JobStatus.CANCELLED]),
        metadata={"description": "failed or cancelled."},
    )
    dead = Flag(
        load_default=False,
        metadata={"description": "Only those that used up their attempts."},
    )
    operation = fields.String(load_default=None, allow_none=True, validate=validate.Length(1, 80))
    error_code = fields.String(load_default=None, allow_none=True, validate=validate.Length(1, 80))
    owner_id = fields.Integer(
        load_default=None, allow_none=True, strict=True, validate=validate.Range(1, INT_MAX)
    )
    queue = fields.String(load_default=None, allow_none=True, validate=validate.OneOf(QUEUES))
    ended_from = Instant(data_key="from", load_default=None, allow_none=True)
    ended_to = Instant(data_key="to", load_default=None, allow_none=True)
    tags = fields.List(
        fields.String(validate=validate.Length(1, 64)),
        load_default=list,
        validate=validate.Length(max=20),
        metadata={"description": "All of them."},
    )
    limit = fields.Integer(load_default=100, strict=True, validate=validate.Range(1, REQUEUE_MOST))
    after = fields.UUID(
        load_default=None,
        allow_none=True,
        metadata={"description": "`next_after` of the page before."},
    )
    dry_run = Flag(load_default=False, metadata={"description": "Only say which they would be."})


class RefusedJob(Schema):
    """A job that its domain did not let go again."""

    job_id = fields.UUID(required=True)
    code = fields.String(required=True)
    message = fields.String(required=True)


class RequeueAnswer(Schema):
    """What the page came to."""

    dry_run = fields.Boolean(required=True)
    number = fields.Integer(required=True)
    job_ids = fields.List(fields.UUID(), required=True)
    refused = fields.List(fields.Nested(RefusedJob), required=True)
    next_after = fields.UUID(
        required=True, allow_none=True, metadata={"description": "null: there are no more."}
    )


def requeued(body: Mapping[str, Any]) -> Response:
    """Do what `RequeueBody` describes."""
    conditions = {name: value for name, value in body.items() if name not in {"dry_run", "dead"}}
    wanted = EndedJobs(**{**conditions, "tags": tuple(body["tags"]), "only_dead": body["dead"]})
    runtime = platform().runtime
    if body["dry_run"]:
        came = find(runtime, wanted)
    else:
        came = requeue(runtime, wanted, by=caller().user_id)
    answer = {
        "dry_run": body["dry_run"],
        "number": len(came.job_ids),
        "job_ids": [str(job_id) for job_id in came.job_ids],
        "refused": [
            {"job_id": str(job_id), "code": error.code, "message": error.message}
            for job_id, error in came.refused.items()
        ],
        "next_after": str(came.last_id) if came.last_id else None,
    }
    return json_answer(answer)
