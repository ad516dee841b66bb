"""What clients send and get about the configuration."""

from marshmallow import Schema, fields, validate

from stellwerk.fields import Moment

_VERSION = fields.Integer(
    strict=True,
    load_default=None,
    allow_none=True,
    validate=validate.Range(0, 2**31 - 1),
    metadata={
        "description": "The version that the change is based on, in place of `If-Match`: refused "
        "where one of its entries was changed after that."
    },
)


class EntrySchema(Schema):
    """One thing that can be configured."""

    name = fields.String(required=True)
    value = fields.Raw(required=True, metadata={"description": "What is in force."})
    default = fields.Raw(required=True, metadata={"description": "What is, after a reset."})
    unit = fields.String(required=True)
    description = fields.String(required=True)
    value_schema = fields.Dict(
        required=True, metadata={"description": "JSON Schema of the value: type and bounds."}
    )
    version = fields.Integer(required=True, metadata={"description": "0: never changed."})
    changed_at = Moment(required=True, allow_none=True)
    changed_by = fields.Integer(
        required=True, allow_none=True, metadata={"description": "The user's id."}
    )


class ConfigurationSchema(Schema):
    """Everything that can be configured; `version` counts its changes."""

    version = fields.Integer(required=True)
    items = fields.List(fields.Nested(EntrySchema), required=True)


class ChangeSchema(Schema):
    """One change of an entry; `value` is null where it went back to its default."""

    version = fields.Integer(required=True)
    value = fields.Raw(required=True, allow_none=True)
    changed_at = Moment(required=True)
    changed_by = fields.Integer(required=True, allow_none=True)


class EntryWithHistory(EntrySchema):
    """One thing that can be configured, and its last changes, newest first."""

    history = fields.List(fields.Nested(ChangeSchema), required=True)


class ChangesBody(Schema):
    """Values for some entries; the others stay."""

    values = fields.Dict(
        keys=fields.String(validate=validate.Length(1, 80)),
        values=fields.Raw(allow_none=True),
        required=True,
        validate=validate.Length(1),
    )
    version = _VERSION


class ChangeBody(Schema):
    """A value for one entry."""

    value = fields.Raw(required=True, allow_none=True)
    version = _VERSION


class ResetBody(Schema):
    """Nothing, or the version that the reset is based on."""

    version = _VERSION
