"""Payloads and results of the operations about privacy."""

from marshmallow import Schema, fields


class RequestPayload(Schema):
    """Which request is carried out; who made it stands there alone."""

    request_id = fields.UUID(required=True)


class ExportResult(Schema):
    """Where the file is, and until when."""

    artifact = fields.String(required=True)
    size_bytes = fields.Integer(required=True)
    rows = fields.Integer(required=True)
    available_until = fields.String(required=True)


class EraseResult(Schema):
    """How much was erased; the receipt says more."""

    request_id = fields.UUID(required=True)
    erased = fields.Integer(required=True)
