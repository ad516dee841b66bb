"""What the system routes answer."""

from marshmallow import Schema, fields, validate


class PartSchema(Schema):
    """A part of the platform."""

    name = fields.String(required=True)
    status = fields.String(required=True, validate=validate.OneOf(["ok", "degraded", "down"]))
    message = fields.String(required=True)


class HealthSchema(Schema):
    """How it is; `degraded` still serves."""

    status = fields.String(required=True, validate=validate.OneOf(["ok", "degraded", "down"]))
    parts = fields.List(fields.Nested(PartSchema), required=True)


class LiveSchema(Schema):
    """The process answers."""

    status = fields.String(required=True, validate=validate.Equal("ok"))


class VersionSchema(Schema):
    """What runs."""

    version = fields.String(required=True)
    api = fields.String(required=True)
    schema = fields.String(required=True)


class StatusSchema(HealthSchema):
    """How it is, and what runs."""

    version = fields.String(required=True)
    mode = fields.String(required=True)
    started_at = fields.AwareDateTime(required=True)
    time = fields.AwareDateTime(required=True)


class IndexSchema(Schema):
    """Where to go."""

    name = fields.String(required=True)
    version = fields.String(required=True)
    links = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
