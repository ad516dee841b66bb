"""What clients send and get about API keys."""

from datetime import datetime
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates

from stellwerk.clock import utc_now
from stellwerk.fields import Instant, Pattern
from stellwerk_api.pagination import page_schema

_SCOPE = Pattern(
    r"^(read|write|[a-z_*]+\.[a-z_*]+)$",
    error="`read`, `write`, or an operation such as `videos.generate` or `videos.*`.",
)


class KeyBody(Schema):
    """A new key; without scopes it may do whatever a key of its owner may."""

    name = fields.String(required=True, validate=validate.Length(1, 100))
    scopes = fields.List(
        fields.String(validate=[validate.Length(max=80), _SCOPE]),
        load_default=list,
        validate=validate.Length(max=50),
    )
    expires_at = Instant(load_default=None, allow_none=True)

    @validates("expires_at")
    def _in_future(self, value: datetime | None, **_: Any) -> None:
        if value is not None and value <= utc_now():
            raise ValidationError("Lies in the past.")


class KeySchema(Schema):
    """A key; its text is not kept, `prefix` tells it from others."""

    id = fields.UUID(required=True)
    name = fields.String(required=True)
    prefix = fields.String(required=True)
    scopes = fields.List(fields.String(), required=True)
    created_at = fields.AwareDateTime(required=True)
    expires_at = fields.AwareDateTime(required=True, allow_none=True)
    last_used_at = fields.AwareDateTime(
        required=True, allow_none=True, metadata={"description": "To the minute."}
    )


class NewKeySchema(KeySchema):
    """A key just made: the only time its text is shown."""

    key = fields.String(required=True)


KeyPage = page_schema(KeySchema)
