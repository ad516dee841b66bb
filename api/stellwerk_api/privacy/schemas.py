"""What clients send and get about their personal data."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from stellwerk.connections.schemas import NextcloudBody
from stellwerk.fields import Moment, PlainString
from stellwerk.identity.service import PASSWORD_MAX
from stellwerk.privacy.model import RequestKind, RequestStatus

TOKEN_MAX = 128  # letters


class ConfirmBody(Schema):
    """One proof beside the session: a token that leaked is not enough for this.

    `token`: of the link that `POST /privacy/confirmation` has mailed. `nextcloud`: a fresh code of
    the account that signs one in.
    """

    password = PlainString(load_only=True, validate=validate.Length(1, PASSWORD_MAX))
    token = PlainString(load_only=True, validate=validate.Length(1, TOKEN_MAX))
    nextcloud = fields.Nested(NextcloudBody, load_only=True)

    @validates_schema
    def _proves_something(self, data: dict[str, Any], **_: Any) -> None:
        if len(data) != 1:
            raise ValidationError("Or one of `token` and `nextcloud`.", "password")


class KeptSchema(Schema):
    """What is kept, without its owner, and why."""

    domain = fields.String(required=True)
    kind = fields.String(required=True)
    number = fields.Integer(required=True)
    reason = fields.String(required=True)


class ReceiptSchema(Schema):
    """What was erased; `signature` is an HMAC of all the rest by the installation's key."""

    request_id = fields.UUID(required=True)
    requested_at = fields.String(required=True)
    finished_at = fields.String(required=True)
    erased = fields.Dict(
        keys=fields.String(),
        values=fields.Dict(keys=fields.String(), values=fields.Integer()),
        required=True,
    )
    kept = fields.List(fields.Nested(KeptSchema), required=True)
    signature = fields.String(required=True)


class ReceiptStateSchema(Schema):
    """How far an erasure is; `genuine`: whether the receipt is as it was signed."""

    status = fields.Enum(RequestStatus, by_value=True, required=True)
    due_at = Moment(required=True)
    finished_at = Moment(required=True, allow_none=True)
    receipt = fields.Nested(ReceiptSchema, required=True, allow_none=True)
    genuine = fields.Boolean(required=True, allow_none=True)


class RequestSchema(ReceiptStateSchema):
    """A request. `download`: where an export's file is, while it can be downloaded."""

    id = fields.UUID(required=True)
    kind = fields.Enum(RequestKind, by_value=True, required=True)
    created_at = Moment(required=True)
    status_url = fields.String(required=True)
    download = fields.String(required=True, allow_none=True)


class RequestList(Schema):
    """The newest hundred, newest first."""

    items = fields.List(fields.Nested(RequestSchema), required=True)


class ErasureSchema(RequestSchema):
    """Keep `receipt_url`: it answers without an account, and is shown this once."""

    receipt_url = fields.String(required=True)
