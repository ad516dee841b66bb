"""What browsers get."""

from marshmallow import Schema, fields

from stellwerk_api.accounts.schemas import LoginBody, UserSchema


class BrowserLogin(LoginBody):
    """Who signs in."""

    class Meta:
        """The console needs no audience of its own."""

        exclude = ("audience",)


class BrowserSession(Schema):
    """A session whose token is in a cookie; `expires_in` in seconds."""

    csrf_token = fields.String(
        required=True, metadata={"description": "For `X-CSRF-Token` of requests that change."}
    )
    expires_in = fields.Integer(required=True)
    user = fields.Nested(UserSchema, required=True)
