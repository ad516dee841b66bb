"""What administrators ask the record, and what it says."""

from marshmallow import Schema, fields, validate

from stellwerk.audit.actions import Action
from stellwerk.audit.trail import LONGEST_TARGET
from stellwerk.fields import POSTGRES_INT_MAX, Instant, Moment
from stellwerk_api.pagination import PageQuery, page_schema
from stellwerk_api.query_fields import QueryInteger

_ROW_ID = validate.Range(1, POSTGRES_INT_MAX)
_ERASED = "null where nothing was recorded, or where it was erased."


class AuditQuery(PageQuery):
    """Which entries; those that meet every condition."""

    action = fields.String(
        load_default=None, validate=validate.OneOf([action.value for action in Action])
    )
    actor = QueryInteger(
        load_default=None,
        validate=_ROW_ID,
        metadata={"description": "Id of the user who acted."},
    )
    subject = QueryInteger(
        load_default=None,
        validate=_ROW_ID,
        metadata={"description": "Id of the user whom it is about."},
    )
    target = fields.String(
        load_default=None,
        validate=validate.Length(1, LONGEST_TARGET),
        metadata={"description": "Such as `queue:media`."},
    )
    recorded_from = Instant(data_key="from", load_default=None)
    recorded_to = Instant(data_key="to", load_default=None)


class AuditEntrySchema(Schema):
    """Something that somebody did. Pseudonyms stay when the user's key is destroyed."""

    sequence = fields.Integer(required=True)
    at = Moment(required=True)
    action = fields.String(required=True)
    actor_kind = fields.String(
        required=True, metadata={"description": "user, nobody, system or command_line."}
    )
    actor = fields.UUID(required=True, allow_none=True)
    actor_user_id = fields.Integer(required=True, allow_none=True)
    subject = fields.UUID(required=True, allow_none=True)
    subject_user_id = fields.Integer(required=True, allow_none=True)
    target = fields.String(required=True)
    origin = fields.Dict(
        keys=fields.String(),
        required=True,
        allow_none=True,
        metadata={"description": f"Address, user agent, request, credential; {_ERASED}"},
    )
    details = fields.Dict(
        keys=fields.String(), required=True, allow_none=True, metadata={"description": _ERASED}
    )
    erased = fields.Boolean(
        required=True,
        metadata={"description": "Somebody in it was erased: what was theirs cannot be read."},
    )
    hash = fields.String(required=True)


AuditPage = page_schema(AuditEntrySchema)
