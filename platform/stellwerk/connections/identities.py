"""Which user an outside account signs in.

An account is known by its id at its server. Its e-mail address proves nothing: at a Nextcloud
everybody sets their own.
"""

from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from stellwerk.clock import new_id
from stellwerk.connections.model import OauthIdentity
from stellwerk.connections.queries import Place
from stellwerk.errors import Conflict, ErrorCode

SIGN_IN = frozenset({"nextcloud"})

_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")


def signs_in(place: Place) -> bool:
    """Whether an account that stands there is one that signs its user in."""
    return place.provider in SIGN_IN and place.channel_id is None


def user_of(session: Session, provider: str, issuer: str, subject: str) -> int | None:
    """Whom an account signs in.

    Until the transaction ends nobody else learns of the same account, so that of two first
    sign-ins at once one makes the user and the other finds it.
    """
    session.execute(_LOCK, {"name": f"identity\x1f{provider}\x1f{issuer}\x1f{subject}"})
    return session.scalar(
        select(OauthIdentity.user_id).where(
            OauthIdentity.provider == provider,
            OauthIdentity.issuer == issuer,
            OauthIdentity.subject == subject,
        )
    )


def link(
    session: Session, place: Place, issuer: str, subject: str, *, made_account: bool = False
) -> None:
    """Let an account sign its user in; raises Conflict (ACCOUNT_TAKEN)."""
    known = user_of(session, place.provider, issuer, subject)
    if known not in (None, place.user_id):
        message = "That account is connected with another user. Disconnect it there first."
        raise Conflict(message, code=ErrorCode.ACCOUNT_TAKEN)
    if known is None:
        unlink(session, place)  # one account a user and provider
    session.execute(
        insert(OauthIdentity)
        .values(
            id=new_id(),
            user_id=place.user_id,
            provider=place.provider,
            issuer=issuer,
            subject=subject,
            made_account=made_account,
        )
        .on_conflict_do_nothing()
    )


def unlink(session: Session, place: Place) -> None:
    """Let no account of that provider sign the user in, but the one the user came by."""
    session.execute(
        delete(OauthIdentity).where(
            OauthIdentity.user_id == place.user_id,
            OauthIdentity.provider == place.provider,
            ~OauthIdentity.made_account,
        )
    )


def unlink_all(session: Session, user_id: int) -> None:
    """Let no account sign the user in, not even the one the user came by."""
    session.execute(delete(OauthIdentity).where(OauthIdentity.user_id == user_id))
