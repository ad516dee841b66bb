"""Payload and result of `email.send`."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from stellwerk.fields import PlainString
from stellwerk.mail.letters import LANGUAGES, VARIABLES, Letter
from stellwerk.mailboxes import mailbox

RECIPIENTS_MAX = 50  # of one mail, blind copies included
SUBJECT_MAX = 200  # characters
TEXT_MAX = 100_000
HTML_MAX = 300_000
ADDRESS_MAX = 400  # characters, with a name

OWN_WORDS = ("subject", "text", "html")


class MailAddress(PlainString):
    """`ada@example.com` or `Ada Lovelace <ada@example.com>`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validate=validate.Length(3, ADDRESS_MAX), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs).strip()
        try:
            mailbox(text)
        except ValueError as exc:
            raise ValidationError(str(exc)) from exc
        return text


class MailAddresses(fields.List[str]):
    """Several, or one by itself."""

    def __init__(self, **kwargs: Any) -> None:
        length = validate.Length(max=RECIPIENTS_MAX)
        about = {
            "description": "Several addresses, or one as a string by itself.",
            "type": ["array", "string"],
        }
        super().__init__(MailAddress(), validate=length, metadata=about, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[Any]:
        several = [value] if isinstance(value, str) else value
        return super()._deserialize(several, attr, data, **kwargs)


class Line(PlainString):
    """Text on one line: nothing in it can begin another header."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if not text.isprintable():
            raise ValidationError("One line of printable characters.")
        return text


class SendPayload(Schema):
    """To whom, and either a letter of the platform's own or words of the sender's."""

    to = MailAddresses(required=True)
    cc = MailAddresses()
    bcc = MailAddresses()
    reply_to = MailAddress()
    template = fields.Enum(Letter, by_value=True)
    variables = fields.Dict(keys=fields.String(), metadata={"description": "For the template."})
    language = fields.String(load_default="en", validate=validate.OneOf(LANGUAGES))
    subject = Line(validate=validate.Length(1, SUBJECT_MAX))
    text = PlainString(validate=validate.Length(1, TEXT_MAX))
    html = PlainString(validate=validate.Length(1, HTML_MAX))

    @validates_schema
    def _says_something(self, data: dict[str, Any], **_: Any) -> None:
        """Either a template and what it is filled with, or subject and text."""
        if letter := data.get("template"):
            _refuse(data, OWN_WORDS, "A template has words of its own.")
            if wrong := VARIABLES[letter]().validate(data.get("variables", {})):
                raise ValidationError({"variables": wrong})
            return
        _refuse(data, ("variables",), "Only a template is filled with variables.")
        missing = [name for name in ("subject", "text") if name not in data]
        if missing:
            raise ValidationError(dict.fromkeys(missing, "Needed, or else a template."))

    @validates_schema
    def _has_few_recipients(self, data: dict[str, Any], **_: Any) -> None:
        """At least one in `to`, and not too many in all."""
        if not data["to"]:
            raise ValidationError("At least one address.", "to")
        count = sum(len(data.get(name, ())) for name in ("to", "cc", "bcc"))
        if count > RECIPIENTS_MAX:
            raise ValidationError(f"At most {RECIPIENTS_MAX} addresses in all.", "to")


class RefusedRecipient(Schema):
    """Somebody who does not get the mail; the reason holds no addresses."""

    address = fields.String(required=True)
    reason = fields.String(required=True)


class SendResult(Schema):
    """Whose mail servers took it."""

    message_id = fields.String(required=True)
    accepted = fields.List(fields.String(), required=True)
    refused = fields.List(fields.Nested(RefusedRecipient), required=True)


def _refuse(data: dict[str, Any], names: tuple[str, ...], reason: str) -> None:
    if wrong := [name for name in names if name in data]:
        raise ValidationError(dict.fromkeys(wrong, reason))
