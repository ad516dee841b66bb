"""What clients send and get about connections."""

from marshmallow import Schema, fields, validate

from stellwerk.connections.model import ConnectionStatus
from stellwerk.fields import Moment, Pattern, PlainString
from stellwerk.identity.service import PASSWORD_MAX

_WORD = validate.Length(1, 40)


class ChannelWishBody(Schema):
    """How to go on once the provider has answered."""

    return_url = PlainString(
        load_default=None,
        allow_none=True,
        validate=validate.Length(1, 2048),
        metadata={"description": "Where the browser is sent then; the operator lists such URLs."},
    )


class WishBody(ChannelWishBody):
    """What to connect an account for."""

    access = fields.List(
        PlainString(validate=_WORD),
        load_default=list,
        validate=validate.Length(max=20),
        metadata={"description": "For Google: mail, calendar, contacts, tasks, sheets, youtube."},
    )
    password = PlainString(
        load_only=True,
        load_default=None,
        validate=validate.Length(1, PASSWORD_MAX),
        metadata={
            "description": "Needed for an account that signs in (Nextcloud), unless the session "
            "was started within 10 minutes."
        },
    )


class BegunSchema(Schema):
    """Send the browser that got this answer's cookie to `authorization_url`.

    Or open `start_url`, once, in any other browser.
    """

    authorization_url = fields.String(required=True)
    start_url = fields.String(required=True)
    expires_in = fields.Integer(required=True)


class ConnectionSchema(Schema):
    """A connected account; its tokens are shown to nobody."""

    id = fields.UUID(required=True)
    provider = fields.String(required=True)
    channel_id = fields.Integer(required=True, allow_none=True)
    account_id = fields.String(required=True)
    account_email = fields.String(required=True, allow_none=True)
    access = fields.List(fields.String(), required=True)
    scopes = fields.List(fields.String(), required=True)
    status = fields.Enum(ConnectionStatus, by_value=True, required=True)
    connected_at = Moment(required=True)
    last_refreshed_at = Moment(required=True, allow_none=True)


class CallbackQuery(Schema):
    """What a provider sends a browser back with; other parameters of its own do no harm."""

    state = PlainString(load_default="", validate=validate.Length(max=128))
    code = PlainString(load_default="", validate=validate.Length(max=2048))
    error = PlainString(load_default="", validate=validate.Length(max=200))
    iss = PlainString(load_default="", validate=validate.Length(max=2048))


class NextcloudBody(Schema):
    """A code of the Nextcloud that is set up here, and what it was asked for with."""

    code = PlainString(required=True, load_only=True, validate=validate.Length(1, 2048))
    code_verifier = PlainString(
        load_default=None,
        load_only=True,
        allow_none=True,
        validate=Pattern(
            r"^[A-Za-z0-9._~-]{43,128}$", error="43 to 128 letters, digits and . _ ~ - (RFC 7636)."
        ),
    )
    redirect_url = PlainString(
        load_default=None,
        allow_none=True,
        validate=validate.Length(1, 2048),
        metadata={"description": "Where the code was sent; the operator lists such URLs."},
    )
