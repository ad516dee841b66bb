"""Proving who one is: by the links of mails, and by the password."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from stellwerk.audit.actions import Action
from stellwerk.errors import Conflict, ErrorCode, NotAuthenticated, NotPermitted
from stellwerk.identity import acts, api_keys, links, notices, password_marks, passwords
from stellwerk.identity import sessions as ledger
from stellwerk.identity.links import Purpose
from stellwerk.identity.model import User
from stellwerk.identity.notices import Occasion
from stellwerk.identity.service import get_user, normalised
from stellwerk.identity.signing_in import wrong_credentials
from stellwerk.jobs.runtime import Runtime, Unit, unit
from stellwerk.jobs.submission import submit


@dataclass(frozen=True, slots=True)
class Ended:
    """Whose sessions and keys every process has to forget."""

    sessions: Sequence[UUID]
    key_hashes: Sequence[str] = ()


def ask(runtime: Runtime, occasion: Occasion, email: str, language: str) -> None:
    """Have somebody written to; takes as long, and says as little, for every address."""
    submit(runtime, notices.notice(runtime.vault, occasion, email.strip(), language=language))


def ask_for_address(
    runtime: Runtime, user_id: int, email: str, language: str, prove: Callable[[], object]
) -> None:
    """Write to an address that a user wants to have; it is theirs once they follow the link.

    Nothing is written once the password has changed. Raises InvalidInput, and what `prove` does for
    somebody else.
    """
    wanted = normalised(email)
    with runtime.sessions() as session:  # before the proof: it is about this password
        known = password_marks.mark(runtime.vault, get_user(session, user_id))
    prove()
    more = {"user_id": user_id, "language": language, "password_mark": known}
    submit(runtime, notices.notice(runtime.vault, Occasion.NEW_ADDRESS, wanted, **more))


def ask_to_confirm(runtime: Runtime, user_id: int, language: str) -> None:
    """Write to a user who is to prove who they are without a password."""
    told = notices.notice(
        runtime.vault, Occasion.TO_CONFIRM, "", user_id=user_id, language=language
    )
    submit(runtime, told)


def require_link(runtime: Runtime, user_id: int, token: str) -> None:
    """Use up the link that was sent to this user; raises InvalidInput (LINK_NOT_VALID)."""
    with runtime.sessions.begin() as session:
        if links.follow(session, Purpose.CONFIRM_REQUEST, token).user_id != user_id:
            raise links.not_valid()


def require_password(runtime: Runtime, user_id: int, password: str) -> str:
    """The hash that the password is right for; raises NotAuthenticated (INVALID_CREDENTIALS).

    No connection is held while it is compared. Whoever is signed in and does not know it may have
    stolen the session: that is put on record.
    """
    with runtime.sessions() as session:
        known = get_user(session, user_id).password_hash
    if not passwords.is_right(password, known):
        with runtime.sessions.begin() as session:
            acts.own(session, Action.PASSWORD_REFUSED, user_id)
        message = "The password is wrong."
        raise NotAuthenticated(message, code=ErrorCode.INVALID_CREDENTIALS)
    return known


def require_fresh(runtime: Runtime, session_id: UUID | None) -> None:
    """Raise NotPermitted (SIGN_IN_AGAIN) unless that session was started a moment ago."""
    with runtime.sessions() as session:
        if ledger.is_fresh(session, session_id):
            return
    message = "Send your password as well, or sign in anew and send this within 10 minutes."
    raise NotPermitted(message, code=ErrorCode.SIGN_IN_AGAIN)


def verify(runtime: Runtime, token: str, language: str) -> None:
    """The address of a link is its user's; raises InvalidInput (LINK_NOT_VALID), Conflict."""
    try:
        with unit(runtime) as work:
            followed = links.follow(work.session, Purpose.VERIFY_EMAIL, token)
            user = get_user(work.session, followed.user_id)
            if user.email != followed.email:
                _leave_address(runtime, work, user, followed.email, language)
            else:
                acts.own(work.session, Action.ACCOUNT_VERIFIED, user.id)
            user.email, user.email_verified_at = followed.email, func.now()
    except IntegrityError as exc:
        raise Conflict("The address has another account by now.") from exc


def _leave_address(runtime: Runtime, work: Unit, user: User, new: str, language: str) -> None:
    """Links that went to the former address are void; whoever reads its mails is told."""
    for purpose in Purpose:
        links.void(work.session, user.id, purpose)
    changed = {"from": user.email, "to": new}
    acts.own(work.session, Action.ACCOUNT_EMAIL_CHANGED, user.id, **changed)
    if user.email_verified_at is not None:
        occasion, more = Occasion.ADDRESS_CHANGED, {"user_id": user.id, "language": language}
        notices.note(runtime, work, notices.notice(runtime.vault, occasion, user.email, **more))


def reset(runtime: Runtime, token: str, password: str, language: str) -> Ended:
    """Set a password by a link of a mail; raises InvalidInput (LINK_NOT_VALID).

    Where nobody had verified the address, whoever has the account may be somebody else: its API
    keys, connected accounts, ways in by them and webhook endpoints end as well, and its schedules
    are paused.
    """
    hashed = passwords.hashed(password)
    with unit(runtime) as work:
        followed = links.follow(work.session, Purpose.RESET_PASSWORD, token)
        user = _locked(work.session, followed.user_id)
        is_takeover = user.email_verified_at is None
        key_hashes = api_keys.revoke_all_of(work.session, user.id) if is_takeover else ()
        if user.email == followed.email:
            user.email_verified_at = user.email_verified_at or func.now()
        user.password_hash = hashed
        acts.own(work.session, Action.PASSWORD_RESET, user.id, keys_revoked=len(key_hashes))
        _secured(runtime, work, user, is_takeover=is_takeover)
        return Ended(_signed_out(runtime, work, user, language), key_hashes)


def change_password(
    runtime: Runtime, user_id: int, *, current: str, new: str, language: str
) -> Ended:
    """Set a password, knowing the present one; raises NotAuthenticated (INVALID_CREDENTIALS)."""
    known = require_password(runtime, user_id, current)
    hashed = passwords.hashed(new)
    with unit(runtime) as work:
        user = _locked(work.session, user_id)
        if user.password_hash != known:
            raise wrong_credentials()  # it was changed while it was compared
        user.password_hash = hashed
        acts.own(work.session, Action.PASSWORD_CHANGED, user.id)
        _secured(runtime, work, user, is_takeover=False)
        return Ended(_signed_out(runtime, work, user, language))


def _secured(runtime: Runtime, work: Unit, user: User, *, is_takeover: bool) -> None:
    """What was under way, to sign in or to another address, ends with the former password."""
    links.void(work.session, user.id, Purpose.RESET_PASSWORD)
    links.void_elsewhere(work.session, user.id, user.email)
    for secure in runtime.secured:
        secure(runtime, work, user.id, is_takeover=is_takeover)


def _signed_out(runtime: Runtime, work: Unit, user: User, language: str) -> Sequence[UUID]:
    """The sessions that a new password ends; its owner is told of it."""
    told = notices.notice(
        runtime.vault, Occasion.PASSWORD_CHANGED, user.email, user_id=user.id, language=language
    )
    notices.note(runtime, work, told)
    return ledger.end_all_of(work.session, user.id)


def _locked(session: Session, user_id: int) -> User:
    return session.get_one(User, user_id, with_for_update={"key_share": True})
