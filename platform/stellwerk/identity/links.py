"""Links in mails: each is good once, for a while, for the address it was sent to."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from secrets import token_urlsafe

from sqlalchemy import delete, func
from sqlalchemy.orm import Session

from stellwerk.clock import utc_now
from stellwerk.errors import ErrorCode, InvalidInput
from stellwerk.identity.model import MailedLink
from stellwerk.identity.random_keys import key_hash
from stellwerk.settings import Settings

BYTES = 32


class Purpose(StrEnum):
    """What whoever follows a link may do; also the name of the mail's template."""

    VERIFY_EMAIL = "verify_email"
    RESET_PASSWORD = "reset_password"  # noqa: S105  a name, not a password
    CONFIRM_REQUEST = "confirm_request"


@dataclass(frozen=True, slots=True)
class Followed:
    """Whose link it was, and which address is proved."""

    user_id: int
    email: str


def valid_h(settings: Settings, purpose: Purpose) -> int:
    """For how many hours a link is good."""
    is_verifying = purpose is Purpose.VERIFY_EMAIL
    return settings.verify_link_valid_h if is_verifying else settings.reset_link_valid_h


def make(session: Session, settings: Settings, purpose: Purpose, to: Followed) -> str:
    """A new link's secret, which is nowhere kept."""
    token = token_urlsafe(BYTES)
    session.add(
        MailedLink(
            token_hash=key_hash(token),
            user_id=to.user_id,
            purpose=purpose.value,
            email=to.email,
            expires_at=utc_now() + timedelta(hours=valid_h(settings, purpose)),
        )
    )
    return token


def follow(session: Session, purpose: Purpose, token: str) -> Followed:
    """Use a link up; raises InvalidInput (LINK_NOT_VALID)."""
    used = (
        delete(MailedLink)
        .where(
            MailedLink.token_hash == key_hash(token),
            MailedLink.purpose == purpose.value,
            MailedLink.expires_at > func.now(),
        )
        .returning(MailedLink.user_id, MailedLink.email)
    )
    found = session.execute(used).one_or_none()
    if found is None:
        raise not_valid()
    return Followed(*found)


def not_valid() -> InvalidInput:
    """The refusal of a link."""
    message = "The link was used already, has ended, or never was. Ask for another mail."
    return InvalidInput(message, code=ErrorCode.LINK_NOT_VALID)


def void(session: Session, user_id: int, purpose: Purpose) -> None:
    """What was sent so far is good for nothing any more."""
    session.execute(
        delete(MailedLink).where(MailedLink.user_id == user_id, MailedLink.purpose == purpose.value)
    )


def void_elsewhere(session: Session, user_id: int, email: str) -> None:
    """The same of every link that was sent to another address than that."""
    session.execute(
        delete(MailedLink).where(MailedLink.user_id == user_id, MailedLink.email != email)
    )
