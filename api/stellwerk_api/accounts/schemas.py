"""What clients send and get about accounts."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from stellwerk.connections.schemas import NextcloudBody
from stellwerk.fields import Moment, Pattern
from stellwerk.identity.permissions import Audience, Role
from stellwerk.identity.service import PASSWORD_MAX, PASSWORD_MIN

_EMAIL = validate.Length(3, 254)


def _new_password() -> fields.String:
    length = validate.Length(PASSWORD_MIN, PASSWORD_MAX)
    return fields.String(required=True, load_only=True, validate=length)


def _password(*, required: bool = True) -> fields.String:
    length = validate.Length(1, PASSWORD_MAX)
    return fields.String(required=required, load_only=True, validate=length)


class RegisterBody(Schema):
    """A new account."""

    email = fields.String(required=True, validate=_EMAIL)
    password = _new_password()
    full_name = fields.String(load_default="", validate=validate.Length(max=200))


class SaidAnswer(Schema):
    """What comes next; the same for every address."""

    message = fields.String(required=True)


class AddressBody(Schema):
    """Who is to be written to."""

    email = fields.String(required=True, validate=_EMAIL)


class LinkQuery(Schema):
    """What the link of a mail carries."""

    token = fields.String(required=True, validate=validate.Length(1, 200))


class NewPasswordBody(Schema):
    """A password, by the link of a mail."""

    token = fields.String(required=True, load_only=True, validate=validate.Length(1, 200))
    password = _new_password()


class ChangePasswordBody(Schema):
    """A password, by the present one."""

    current_password = _password()
    new_password = _new_password()


class LoginBody(Schema):
    """Who signs in."""

    email = fields.String(required=True, validate=_EMAIL)
    password = _password()
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
    """What a user may change of their own account.

    Another `email` needs the `password`, or, of the account that signs one in, a fresh code
    (`nextcloud`). It is the account's once the link of the mail that goes there was followed.
    """

    email = fields.String(validate=_EMAIL)
    password = _password(required=False)
    nextcloud = fields.Nested(NextcloudBody, load_only=True)
    full_name = fields.String(validate=validate.Length(max=200))
    username = fields.String(
        validate=Pattern(
            r"^[a-z0-9][a-z0-9_.-]{2,63}$",
            error="3 to 64 of a-z, 0-9, dot, hyphen and underscore, a letter or digit first.",
        )
    )

    @validates_schema
    def _knows_the_password(self, data: dict[str, Any], **_: Any) -> None:
        proofs = data.keys() & {"password", "nextcloud"}
        if "email" in data and len(proofs) != 1:
            raise ValidationError("Needed, or `nextcloud`, to change the address.", "password")
        if proofs and "email" not in data:
            raise ValidationError("POST /auth/password changes it.", "password")


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
    calls_today = fields.Nested(UsedTodaySchema, required=True)
    calls_at_once = fields.Nested(UsedSchema, required=True)
    budget_this_month = fields.Nested(BudgetSchema, required=True)
