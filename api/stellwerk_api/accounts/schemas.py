"""What clients send and get about accounts."""

from marshmallow import Schema, fields, validate

from stellwerk.fields import Moment, Pattern
from stellwerk.identity.permissions import Audience, Role
from stellwerk.identity.service import PASSWORD_MAX, PASSWORD_MIN

_EMAIL = validate.Length(3, 254)


class RegisterBody(Schema):
    """A new account."""

    email = fields.String(required=True, validate=_EMAIL)
    password = fields.String(
        required=True, load_only=True, validate=validate.Length(PASSWORD_MIN, PASSWORD_MAX)
    )
    full_name = fields.String(load_default="", validate=validate.Length(max=200))


class RegisterAnswer(Schema):
    """The same for every address."""

    message = fields.String(required=True)


class LoginBody(Schema):
    """Who signs in."""

    email = fields.String(required=True, validate=_EMAIL)
    password = fields.String(
        required=True, load_only=True, validate=validate.Length(1, PASSWORD_MAX)
    )
    audience = fields.Enum(
        Audience,
        by_value=True,
        load_default=Audience.API,
        metadata={"description": "`telephony`: tokens that may place calls, and end sooner."},
    )


class RefreshBody(Schema):
    """Who goes on."""

    refresh_token = fields.String(required=True, load_only=True, validate=validate.Length(1, 200))


class ProfileBody(Schema):
    """What a user may change of their own account."""

    full_name = fields.String(validate=validate.Length(max=200))
    username = fields.String(
        validate=Pattern(
            r"^[a-z0-9][a-z0-9_.-]{2,63}$",
            error="3 to 64 of a-z, 0-9, dot, hyphen and underscore, a letter or digit first.",
        )
    )


class UserSchema(Schema):
    """An account; limits as they are in force, money in EUR."""

    id = fields.Integer(required=True)
    email = fields.String(required=True)
    username = fields.String(required=True)
    full_name = fields.String(required=True)
    role = fields.Enum(Role, by_value=True, required=True)
    is_active = fields.Boolean(required=True)
    email_verified_at = fields.AwareDateTime(required=True, allow_none=True)
    subscription_tier = fields.String(required=True)
    channels_limit = fields.Integer(required=True)
    daily_video_limit = fields.Integer(required=True)
    monthly_budget = fields.Float(required=True)
    total_spent = fields.Float(required=True)
    is_beta_user = fields.Boolean(required=True)
    created_at = fields.AwareDateTime(required=True)
    updated_at = fields.AwareDateTime(required=True)


class LoginAnswer(Schema):
    """A session; `expires_in` in seconds, of the access token."""

    access_token = fields.String(required=True)
    refresh_token = fields.String(
        required=True, metadata={"description": "Good for one POST to /auth/refresh."}
    )
    token_type = fields.String(required=True, validate=validate.Equal("bearer"))
    expires_in = fields.Integer(required=True)
    user = fields.Nested(UserSchema, required=True)


class UsedSchema(Schema):
    """How many there are, and may be."""

    used = fields.Integer(required=True)
    limit = fields.Integer(required=True)


class UsedTodaySchema(UsedSchema):
    """The same of a day in UTC."""

    resets_at = Moment(required=True)


class BudgetSchema(Schema):
    """EUR of a calendar month in UTC; `reserved` is set aside for jobs under way."""

    spent = fields.Float(required=True)
    reserved = fields.Float(required=True)
    limit = fields.Float(required=True)
    left = fields.Float(required=True)
    resets_at = Moment(required=True)


class UsageSchema(Schema):
    """What was used of what the account, its tier and the licence allow."""

    channels = fields.Nested(UsedSchema, required=True)
    videos_today = fields.Nested(UsedTodaySchema, required=True)
    budget_this_month = fields.Nested(BudgetSchema, required=True)
