"""The catalogue's answers."""

from marshmallow import Schema, fields


class LimitsSchema(Schema):
    """Bounds of one attempt, and of how many jobs run at once; null: only slots bound them."""

    time_limit_s = fields.Float(required=True)
    max_running = fields.Integer(required=True, allow_none=True)
    max_share = fields.Float(
        required=True,
        allow_none=True,
        metadata={"description": "The same as a share of the queue's slots, at least one."},
    )
    max_running_per_owner = fields.Integer(required=True, allow_none=True)
    rate_class = fields.String(
        required=True,
        allow_none=True,
        metadata={
            "description": "The limit that its submissions count in, beside that on all requests: "
            "the first word of `RateLimit-Policy`."
        },
    )


class RetrySchema(Schema):
    """How a failed attempt is repeated: full jitter over a doubling base, or after `delays_s`."""

    max_attempts = fields.Integer(required=True)
    base_s = fields.Float(required=True)
    max_s = fields.Float(required=True)
    delays_s = fields.List(fields.Float(), required=True)


class DeclaredStep(Schema):
    """A part of the operation and its share of the progress."""

    name = fields.String(required=True)
    weight = fields.Integer(required=True)


class OperationSchema(Schema):
    """A kind of work; the schemas are JSON Schema 2020-12."""

    name = fields.String(required=True)
    version = fields.Integer(required=True)
    summary = fields.String(required=True)
    queue = fields.String(required=True)
    permission = fields.String(required=True)
    scope = fields.String(required=True)
    limits = fields.Nested(LimitsSchema, required=True)
    retry = fields.Nested(RetrySchema, required=True)
    is_paid = fields.Boolean(
        required=True,
        metadata={"description": "Its jobs cost money: 402 where a budget does not do."},
    )
    steps = fields.List(fields.Nested(DeclaredStep), required=True)
    payload_schema = fields.Dict(required=True)
    result_schema = fields.Dict(required=True, allow_none=True)


class OperationList(Schema):
    """All of them."""

    items = fields.List(fields.Nested(OperationSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)
