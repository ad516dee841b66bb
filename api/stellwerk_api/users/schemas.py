"""What administrators send and get about accounts."""

from marshmallow import Schema, fields, validate

from stellwerk.fields import POSTGRES_INT_MAX, Amount, Flag
from stellwerk.identity.permissions import Role
from stellwerk_api.accounts.schemas import UserSchema
from stellwerk_api.pagination import PageQuery, page_schema
from stellwerk_api.query_fields import QueryFlag

TIERS = ("free", "pro", "enterprise")
BUDGET_MAX_EUR = 1_000_000
_LIMIT = validate.Range(0, POSTGRES_INT_MAX)
_TIER = validate.OneOf(TIERS)


class UserQuery(PageQuery):
    """Which accounts."""

    email = fields.String(
        load_default=None,
        validate=validate.Length(3, 254),
        metadata={"description": "The whole address, in upper or lower case."},
    )
    role = fields.Enum(Role, by_value=True, load_default=None)
    tier = fields.String(load_default=None, validate=_TIER)
    is_active = QueryFlag(load_default=None)


class OwnLimits(Schema):
    """What was set for this account alone; null follows its tier."""

    channels_limit = fields.Integer(required=True, allow_none=True)
    daily_video_limit = fields.Integer(required=True, allow_none=True)
    monthly_budget = fields.Float(required=True, allow_none=True)


class AccountSchema(UserSchema):
    """An account, as administrators see it."""

    own_limits = fields.Nested(OwnLimits, required=True)


class AccountPatch(Schema):
    """What an administrator may change; a limit of null follows the tier."""

    role = fields.Enum(Role, by_value=True)
    is_active = Flag()
    subscription_tier = fields.String(validate=_TIER)
    is_beta_user = Flag()
    channels_limit = fields.Integer(strict=True, allow_none=True, validate=_LIMIT)
    daily_video_limit = fields.Integer(strict=True, allow_none=True, validate=_LIMIT)
    monthly_budget = Amount(places=6, allow_none=True, validate=validate.Range(0, BUDGET_MAX_EUR))


AccountPage = page_schema(AccountSchema)
