"""What realtime asks about listeners, and what it is told."""

from marshmallow import Schema, fields, validate

from stellwerk.fields import Pattern
from stellwerk_api.jobs.documents import JobDocument
from stellwerk_api.jobs.schemas import BIGINT_MAX

COMPARED_MAX = 1000

_CREDENTIAL = Pattern(r"^(session|key):[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


class StandingSchema(Schema):
    """Whose credentials these are, and until when they stand."""

    user_id = fields.Integer(required=True)
    credential = fields.String(
        required=True, metadata={"description": "`session:` or `key:`, and its id."}
    )
    expires_at = fields.AwareDateTime(
        required=True, allow_none=True, metadata={"description": "null: never by itself."}
    )


class ComparisonBody(Schema):
    """What was told last of jobs, and on whose credentials."""

    jobs = fields.Dict(
        keys=fields.UUID(),
        values=fields.Integer(strict=True, validate=validate.Range(-1, BIGINT_MAX)),
        load_default=dict,
        validate=validate.Length(max=COMPARED_MAX),
        metadata={"description": "Versions by job id; -1: nothing was told."},
    )
    credentials = fields.List(
        fields.String(validate=_CREDENTIAL),
        load_default=list,
        validate=validate.Length(max=COMPARED_MAX),
    )


class NewerSchema(Schema):
    """A job that has changed since."""

    owner_id = fields.Integer(required=True, allow_none=True)
    version = fields.Integer(required=True)
    is_final = fields.Boolean(required=True)
    document = fields.Nested(JobDocument, required=True)


class ComparisonSchema(Schema):
    """What was missed."""

    newer = fields.List(fields.Nested(NewerSchema), required=True)
    ended = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "Credentials that do not stand any more."},
    )
