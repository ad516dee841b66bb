"""What clients send and get about API keys."""

from datetime import datetime
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates

from stellwerk.clock import utc_now
from stellwerk.fields import Instant, Pattern, Real
from stellwerk.identity.api_keys import OVERLAP_H, OVERLAP_MAX_H
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
        _refuse_past(value)


class RotationBody(Schema):
    """How long the old key goes on working, and how long the new one works."""

    overlap_h = Real(
        load_default=OVERLAP_H,
        validate=validate.Range(0, OVERLAP_MAX_H),
        metadata={"description": "Hours; 0: the old key is worth nothing from now on."},
    )
    expires_at = Instant(
        load_default=None,
        allow_none=True,
        metadata={"description": "null: it works for as long as the old one was made for."},
    )

    @validates("expires_at")
    def _in_future(self, value: datetime | None, **_: Any) -> None:
        _refuse_past(value)


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
    last_used_from = fields.String(
        required=True, allow_none=True, metadata={"description": "The address of that request."}
    )
    replaced_at = fields.AwareDateTime(required=True, allow_none=True)
    replaced_by = fields.UUID(
        required=True, allow_none=True, metadata={"description": "The key that it was rotated to."}
    )


class NewKeySchema(KeySchema):
    """A key just made: the only time its text is shown."""

    key = fields.String(required=True)


class RotatedKeySchema(NewKeySchema):
    """The new key, with its text, and the one that it replaces."""

    previous = fields.Nested(KeySchema, required=True)


def _refuse_past(value: datetime | None) -> None:
    if value is not None and value <= utc_now():
        raise ValidationError("Lies in the past.")


KeyPage = page_schema(KeySchema)
