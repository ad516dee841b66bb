"""What a mail says: the platform's own letters as Jinja templates, in two languages.

Each letter is one file for each language, from which both its forms are made: plain text, and
HTML in which every value is escaped. Values are checked by a schema of the letter's own. None of
them is text of somebody's choice: whoever can have a mail sent to a stranger's address must not
be able to say something in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from marshmallow import Schema, fields, validate

from stellwerk.fields import Pattern

if TYPE_CHECKING:
    from jinja2 import Environment

LANGUAGES = ("de", "en")
LONGEST_LINK = 2000  # characters
FOLDER = Path(__file__).parent / "templates"

Form = Literal["html", "txt"]


class Letter(StrEnum):
    """A mail of the platform's own."""

    VERIFY_EMAIL = "verify_email"
    ADDRESS_TAKEN = "address_taken"
    RESET_PASSWORD = "reset_password"  # noqa: S105  a name, not a password
    PASSWORD_CHANGED = "password_changed"  # noqa: S105  the same
    ADDRESS_CHANGED = "address_changed"
    CONFIRM_REQUEST = "confirm_request"
    ACCOUNT_DELETED = "account_deleted"
    PRIVACY_EXPORT_READY = "privacy_export_ready"
    CONNECTION_LOST = "connection_lost"


class NoVariables(Schema):
    """Nothing is filled in."""


class LinkVariables(Schema):
    """Where the reader is asked to go."""

    link = fields.String(
        required=True,
        validate=[
            validate.Length(max=LONGEST_LINK),
            Pattern(r"^https?://[^\s<>\"]+$", error="A URL that starts with http or https."),
        ],
    )


class LinkForHours(LinkVariables):
    """A link that ends."""

    valid_h = fields.Integer(required=True, strict=True, validate=validate.Range(1, 8760))


class LinkForDays(LinkVariables):
    """A link that ends later."""

    valid_days = fields.Integer(required=True, strict=True, validate=validate.Range(1, 365))


class ConnectionVariables(LinkVariables):
    """Which service has to be connected again."""

    provider = fields.String(
        required=True,
        validate=Pattern(r"^[A-Za-z][A-Za-z0-9 .-]{0,39}$", error="The name of a service."),
    )


VARIABLES: Mapping[Letter, type[Schema]] = MappingProxyType(
    {
        Letter.VERIFY_EMAIL: LinkForHours,
        Letter.ADDRESS_TAKEN: LinkVariables,
        Letter.RESET_PASSWORD: LinkForHours,
        Letter.PASSWORD_CHANGED: LinkVariables,
        Letter.ADDRESS_CHANGED: LinkVariables,
        Letter.CONFIRM_REQUEST: LinkForHours,
        Letter.ACCOUNT_DELETED: NoVariables,
        Letter.PRIVACY_EXPORT_READY: LinkForDays,
        Letter.CONNECTION_LOST: ConnectionVariables,
    }
)


@dataclass(frozen=True, slots=True)
class Written:
    """The words of a mail."""

    subject: str
    text: str
    html: str | None


@dataclass(frozen=True, slots=True)
class Letterhead:
    """Who writes: the name and the address of the platform."""

    name: str
    url: str


def write(
    letter: Letter, language: str, variables: Mapping[str, Any], letterhead: Letterhead
) -> Written:
    """A letter with its values filled in."""
    values = {**variables, "language": language, "letterhead": letterhead}
    path = f"{language}/{letter.value}.jinja"
    plain = _environment("txt").get_template(path)
    return Written(
        subject="".join(plain.blocks["subject"](plain.new_context({**values, "form": "txt"}))),
        text=plain.render(values, form="txt"),
        html=_environment("html").get_template(path).render(values, form="html"),
    )


@cache
def _environment(form: Form) -> "Environment":
    """A name that stands in a template and has no value is an error."""
    from jinja2 import (  # noqa: PLC0415  in the process that writes letters and in no other
        Environment,
        FileSystemLoader,
        StrictUndefined,
    )

    return Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=form == "html",  # noqa: S701  there is nothing to escape in plain text
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
