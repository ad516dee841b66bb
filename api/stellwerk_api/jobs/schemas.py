"""What clients send about jobs."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from stellwerk.fields import Flag, Instant
from stellwerk.jobs.states import PublicStatus
from stellwerk.jobs.waits import NAME_MAX
from stellwerk.providers.outbound.targets import LONGEST_URL
from stellwerk_api.jobs.usual import LONGEST_NAME, Requests
from stellwerk_api.pagination import PageQuery
from stellwerk_api.query_fields import QueryFlag, QueryInteger, SeveralOf

_NAME = validate.Length(1, LONGEST_NAME)
BIGINT_MAX = 2**63 - 1
BULK_MAX = 1000  # jobs


class SubmissionBody(Schema):
    """A request for any operation."""

    operation = fields.String(required=True, validate=_NAME)
    payload = fields.Dict(
        keys=fields.String(),
        load_default=dict,
        metadata={"description": "By the operation's own schema: GET /operations/{name}."},
    )
    run_at = Instant(
        load_default=None, allow_none=True, metadata={"description": "Not before; null: now."}
    )
    queue = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.Length(1, 40),
        metadata={
            "description": "The operation's own queue (null), or the same with `_low` behind it, "
            "whose jobs start when nothing waits in the other."
        },
    )
    unique_key = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.Length(1, 255),
        metadata={
            "description": "Refused with 409 while another unfinished job of the operation that "
            "belongs to you has the key."
        },
    )
    tags = fields.List(
        fields.String(validate=validate.Length(1, 64)),
        load_default=list,
        validate=validate.Length(max=20),
    )
    callback_url = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.Length(1, LONGEST_URL),
        metadata={
            "description": "Told of the job's end by a signed POST; make a secret for it first: "
            "POST /webhook-endpoints/callback-secret."
        },
    )


class SingleBody(SubmissionBody):
    """A request for any operation, or for a child of a job that has not ended."""

    parent = fields.UUID(
        load_default=None,
        allow_none=True,
        metadata={
            "description": "A job of yours that has not ended: it is cancelled with it, and "
            "takes over its tags."
        },
    )
    parent_key = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.Length(1, 255),
        metadata={
            "description": "Refused with 409 where the parent has a child of that key; only with "
            "`parent`."
        },
    )

    @validates_schema
    def _is_of_a_parent(self, data: dict[str, Any], **_: Any) -> None:
        if data["parent_key"] is not None and data["parent"] is None:
            raise ValidationError("Only with `parent`.", "parent_key")


class BulkBody(Schema):
    """Many requests, for any operations; the whole body has to stay below 1 MiB."""

    jobs = Requests(
        fields.Nested(SubmissionBody), required=True, validate=validate.Length(1, BULK_MAX)
    )


class AcceptedEntry(Schema):
    """One of many accepted jobs."""

    job_id = fields.UUID(required=True)
    operation = fields.String(required=True)
    status = fields.Enum(PublicStatus, by_value=True, required=True)
    status_url = fields.String(required=True)


class AcceptedJobs(Schema):
    """Jobs that are durable and will be carried out, in the order of the request."""

    jobs = fields.List(fields.Nested(AcceptedEntry), required=True)


class StatusQuery(PageQuery):
    """Jobs in which state."""

    status = SeveralOf(
        fields.Enum(PublicStatus, by_value=True),
        load_default=list,
        metadata={"description": "Any of these: separated by commas, or as several parameters."},
    )


class JobQuery(StatusQuery):
    """Which jobs."""

    operation = fields.String(
        load_default=None,
        validate=_NAME,
        metadata={"description": "Without it the platform's own jobs for you are left out."},
    )
    tag = fields.String(load_default=None, validate=validate.Length(1, 64))
    error_code = fields.String(
        load_default=None,
        validate=_NAME,
        metadata={"description": "Failed jobs with this code, such as EFFECT_UNCERTAIN."},
    )
    dead = QueryFlag(
        load_default=False,
        metadata={"description": "Only failed jobs that used up their attempts."},
    )
    created_from = Instant(data_key="from", load_default=None)
    created_to = Instant(data_key="to", load_default=None)
    everybodys = QueryFlag(
        data_key="all",
        load_default=False,
        metadata={"description": "Everybody's jobs; needs jobs:read_all."},
    )


class SignalBody(Schema):
    """A message to a waiting job."""

    name = fields.String(required=True, validate=validate.Length(1, NAME_MAX))
    data = fields.Raw(load_default=None, allow_none=True)
    dedupe_key = fields.String(load_default=None, allow_none=True, validate=validate.Length(1, 255))


class ResolutionBody(Schema):
    """What became of an effect of which the platform cannot tell."""

    effect = fields.String(required=True, validate=_NAME)
    key = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.Length(max=255),
        metadata={"description": "Needed where several effects of that name are open."},
    )
    happened = Flag(required=True)
    output = fields.Raw(
        load_default=None,
        allow_none=True,
        metadata={"description": "What its call would have returned, if it happened."},
    )
    note = fields.String(
        load_default="",
        validate=validate.Length(max=1000),
        metadata={"description": "How you know; kept in the job's log."},
    )


class WaitQuery(Schema):
    """How long to hold the answer back."""

    wait = QueryInteger(
        validate=validate.Range(min=0),
        metadata={
            "description": "Seconds to wait for the job's end; at most 30 s are waited.",
            "example": 10,
        },
    )


class LogQuery(Schema):
    """Which lines."""

    after = QueryInteger(load_default=0, validate=validate.Range(0, BIGINT_MAX))
    limit = QueryInteger(load_default=200, validate=validate.Range(1, 1000))
