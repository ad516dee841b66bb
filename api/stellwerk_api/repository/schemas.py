"""What clients ask and are told about repositories and what they offer."""

from marshmallow import Schema, fields, validate

from stellwerk.fields import PlainString
from stellwerk.providers.repositories.protocol import SourceKind
from stellwerk_api.pagination import PageQuery, page_schema
from stellwerk_api.query_fields import QueryFlag, QueryInteger

POSTGRES_INT_MAX = 2**31 - 1


class RepositorySchema(Schema):
    """A repository, and what was last read of it."""

    id = fields.Integer(required=True)
    name = fields.String(required=True)
    kind = fields.Enum(SourceKind, by_value=True, required=True)
    location = fields.String(required=True)
    public_key = fields.String(required=True, allow_none=True)
    modules = fields.Integer(required=True)
    versions = fields.Integer(required=True)
    categories = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        required=True,
        metadata={"description": "Modules of each."},
    )
    installed = fields.Integer(required=True, metadata={"description": "Modules from it."})
    reachable = fields.Boolean(
        required=True, allow_none=True, metadata={"description": "Null: nobody has tried yet."}
    )
    stale = fields.Boolean(
        required=True, metadata={"description": "It could not be read when that was due."}
    )
    synced_at = fields.AwareDateTime(required=True, allow_none=True)
    tried_at = fields.AwareDateTime(required=True, allow_none=True)
    error = fields.String(required=True, allow_none=True)
    created_at = fields.AwareDateTime(required=True)


class RepositoryList(Schema):
    """All of them."""

    items = fields.List(fields.Nested(RepositorySchema), required=True)


class OfferQuery(PageQuery):
    """Which of the available modules."""

    repository_id = QueryInteger(validate=validate.Range(1, POSTGRES_INT_MAX))
    category = PlainString(validate=validate.Length(1, 100))
    q = PlainString(
        validate=validate.Length(1, 100),
        metadata={"description": "In the name or the description."},
    )
    installed = QueryFlag()


class OfferSchema(Schema):
    """A module that a repository has; `version` is its newest."""

    name = fields.String(required=True)
    version = fields.String(required=True)
    versions = fields.List(
        fields.String(), required=True, metadata={"description": "The newest first."}
    )
    category = fields.String(required=True)
    description = fields.String(required=True)
    dependencies = fields.List(fields.String(), required=True)
    size_bytes = fields.Integer(required=True)
    signed = fields.Boolean(required=True)
    installed = fields.Boolean(required=True)
    installed_version = fields.String(required=True, allow_none=True)
    update_available = fields.Boolean(required=True)
    repository_id = fields.Integer(required=True)
    repository = fields.String(required=True)
    stale = fields.Boolean(
        required=True, metadata={"description": "The repository could not be read lately."}
    )
    synced_at = fields.AwareDateTime(required=True, allow_none=True)


OfferPage = page_schema(OfferSchema)
