"""What clients send and get about webhooks, and the payload of a delivery."""

from marshmallow import Schema, fields, validate

from stellwerk.fields import Flag, Moment, Pattern, PlainString
from stellwerk.providers.outbound.targets import LONGEST_URL
from stellwerk.webhooks.model import DeliveryStatus, EventType

SELECTABLE = tuple(kind.value for kind in EventType if kind is not EventType.PING)

_OPERATION = Pattern(
    r"^[a-z_*]+\.[a-z_*]+$", error="An operation such as `videos.generate`, or `videos.*`."
)


class DeliverPayload(Schema):
    """Which delivery."""

    delivery_id = fields.UUID(required=True)


class DeliverResult(Schema):
    """How the receiver answered."""

    status_code = fields.Integer()
    duration_ms = fields.Integer()


class EndpointPatch(Schema):
    """What can be changed about an endpoint."""

    url = PlainString(validate=validate.Length(1, LONGEST_URL))
    description = PlainString(validate=validate.Length(max=200))
    event_types = fields.List(
        fields.String(validate=validate.OneOf(SELECTABLE)),
        validate=validate.Length(max=len(SELECTABLE)),
        metadata={"description": "Empty: all of them."},
    )
    operations = fields.List(
        fields.String(validate=[validate.Length(max=80), _OPERATION]),
        validate=validate.Length(max=20),
        metadata={"description": "Names or patterns such as `videos.*`; empty: all of them."},
    )
    is_active = Flag(
        data_key="active", metadata={"description": "true enables one that was disabled."}
    )


class EndpointFields(EndpointPatch):
    """A new endpoint."""

    url = PlainString(required=True, validate=validate.Length(1, LONGEST_URL))


class EndpointSchema(Schema):
    """An endpoint; its secret is shown when it is made or replaced, and never again."""

    id = fields.UUID(required=True)
    url = fields.String(required=True)
    description = fields.String(required=True)
    event_types = fields.List(fields.String(), required=True)
    operations = fields.List(fields.String(), required=True)
    is_active = fields.Boolean(required=True, data_key="active")
    disabled_reason = fields.String(required=True, allow_none=True)
    failing_since = Moment(
        required=True,
        allow_none=True,
        metadata={"description": "The first failed try since the last successful one."},
    )
    created_at = Moment(required=True)
    updated_at = Moment(required=True)


class NewEndpointSchema(EndpointSchema):
    """An endpoint just made: the only time its secret is shown."""

    secret = fields.String(required=True)


class NewSecretSchema(Schema):
    """A secret just made: the only time it is shown."""

    secret = fields.String(required=True)
    previous_valid_until = Moment(
        required=True, allow_none=True, metadata={"description": "null: there was none before."}
    )


class SecretStateSchema(Schema):
    """Whether callbacks can be signed."""

    exists = fields.Boolean(required=True)
    previous_valid_until = Moment(required=True, allow_none=True)


class AttemptSchema(Schema):
    """One try; of the answer only its status is kept."""

    at = Moment(required=True)
    status_code = fields.Integer(required=True, allow_none=True)
    duration_ms = fields.Integer(required=True)
    error = fields.String(required=True, allow_none=True)


class DeliverySchema(Schema):
    """A message to a receiver, with its newest 20 tries."""

    id = fields.UUID(required=True)
    webhook_id = fields.String(required=True)
    event_type = fields.String(required=True)
    url = fields.String(required=True)
    status = fields.Enum(DeliveryStatus, by_value=True, required=True)
    about_job_id = fields.UUID(required=True, allow_none=True)
    job_id = fields.UUID(required=True, metadata={"description": "The job that delivers it."})
    created_at = Moment(required=True)
    finished_at = Moment(required=True, allow_none=True)
    attempts = fields.List(fields.Nested(AttemptSchema), required=True)
