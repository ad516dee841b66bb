"""The job document, and what else is told of a job."""

from marshmallow import Schema, fields, validate

from stellwerk.jobs.states import PublicStatus
from stellwerk_api.pagination import page_schema


class StepSchema(Schema):
    """A named part of a job."""

    name = fields.String(required=True)
    status = fields.String(
        required=True,
        validate=validate.OneOf(
            ["pending", "running", "completed", "undone", "failed", "cancelled"]
        ),
    )
    started_at = fields.AwareDateTime(required=True, allow_none=True)
    finished_at = fields.AwareDateTime(required=True, allow_none=True)


class ArtifactSchema(Schema):
    """A file that a job made."""

    name = fields.String(required=True)
    content_type = fields.String(required=True)
    size_bytes = fields.Integer(required=True)
    sha256 = fields.String(required=True)
    url = fields.String(required=True)


class JobErrorSchema(Schema):
    """Why a job failed."""

    code = fields.String(required=True)
    message = fields.String(required=True)
    details = fields.Dict()
    retryable = fields.Boolean()


class JobDocument(Schema):
    """A job as its owner sees it; `cost` in EUR.

    What a sensitive job came to is shown by `GET /jobs/{id}`, to its owner alone.
    """

    sensitive = fields.Boolean(
        metadata={"description": "Set where `result` and `error` are masked elsewhere than here."}
    )
    job_id = fields.UUID(required=True)
    operation = fields.String(required=True)
    status = fields.Enum(PublicStatus, by_value=True, required=True)
    queue = fields.String(required=True)
    progress = fields.Integer(required=True, metadata={"description": "Percent."})
    message = fields.String(required=True)
    steps = fields.List(fields.Nested(StepSchema), required=True)
    attempt = fields.Integer(required=True)
    failures = fields.Integer(required=True)
    max_attempts = fields.Integer(required=True)
    created_at = fields.AwareDateTime(required=True)
    run_at = fields.AwareDateTime(required=True)
    started_at = fields.AwareDateTime(required=True, allow_none=True)
    finished_at = fields.AwareDateTime(required=True, allow_none=True)
    estimated_completion_at = fields.AwareDateTime(
        required=True,
        allow_none=True,
        metadata={"description": "By how long its like took lately; null: nobody can tell."},
    )
    result = fields.Dict(required=True, allow_none=True)
    error = fields.Nested(JobErrorSchema, required=True, allow_none=True)
    cost = fields.Float(required=True)
    simulated = fields.Boolean(required=True)
    tags = fields.List(fields.String(), required=True)
    artifacts = fields.List(fields.Nested(ArtifactSchema), required=True)
    links = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class LogLineSchema(Schema):
    """A line a handler wrote."""

    id = fields.Integer(required=True)
    at = fields.AwareDateTime(required=True)
    attempt = fields.Integer(required=True)
    level = fields.String(required=True)
    message = fields.String(required=True)
    fields_ = fields.Dict(required=True, data_key="fields", attribute="fields")


class LogSchema(Schema):
    """Lines in the order they were written; ask again with `after=next_after`."""

    items = fields.List(fields.Nested(LogLineSchema), required=True)
    next_after = fields.Integer(required=True)


class StepList(Schema):
    """The steps of a job."""

    items = fields.List(fields.Nested(StepSchema), required=True)


class ArtifactList(Schema):
    """The files of a job."""

    items = fields.List(fields.Nested(ArtifactSchema), required=True)


JobPage = page_schema(JobDocument)
