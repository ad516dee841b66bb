"""Mails about accounts: what is written to whom.

A request that could tell whether an address has an account only notes that something is to be
written. A worker finds out what, so that the request does the same for every address.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from marshmallow import Schema, fields, validate
from sqlalchemy.orm import Session

from stellwerk.db.engine import vault_of
from stellwerk.identity import about, links, password_marks
from stellwerk.identity.links import Followed, Purpose
from stellwerk.identity.model import User
from stellwerk.identity.service import by_email
from stellwerk.jobs.queries import API
from stellwerk.jobs.runtime import Runtime, Unit
from stellwerk.jobs.submission import Submission, accept, checked_payload
from stellwerk.settings import Settings
from stellwerk.vault import Vault

NOTIFY = "accounts.notify"
SEND = "email.send"

Mail = dict[str, Any]  # the payload of `email.send`, and `user_id`, whom it is about


class Occasion(StrEnum):
    """Why somebody is written to."""

    REGISTERED = "registered"
    REGISTERED_AGAIN = "registered_again"  # the address has an account
    UNVERIFIED = "unverified"  # the first mail did not come
    FORGOTTEN = "forgotten"
    NEW_ADDRESS = "new_address"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105  an occasion, not a password
    ADDRESS_CHANGED = "address_changed"
    TO_CONFIRM = "to_confirm"  # who asks about personal data without having a password


class NotifyPayload(Schema):
    """Why, and which address; `user_id` where somebody is signed in.

    `password_mark`: of the password with which another address was asked for.
    """

    occasion = fields.Enum(Occasion, by_value=True, required=True)
    email = fields.String(required=True, validate=validate.Length(max=254))
    user_id = fields.Integer(strict=True, load_default=None, allow_none=True)
    password_mark = fields.String(load_default=None, allow_none=True)
    language = fields.String(load_default="en")


class NotifyResult(Schema):
    """Which mail was handed on; null: there was nothing to write."""

    template = fields.String(allow_none=True, required=True)


def notice(vault: Vault, occasion: Occasion, email: str, **more: Any) -> Submission:
    """The job that writes; the system's own, so that nobody sees it in a list of theirs."""
    payload = {"occasion": occasion.value, "email": email, **more}
    whom = about.tags(vault, address=email, user_id=more.get("user_id"))
    return Submission(NOTIFY, payload, owner_id=None, tags=whom)


def note(runtime: Runtime, work: Unit, submission: Submission) -> None:
    """Submit a job within a transaction of the caller."""
    operation = runtime.registry.get(submission.operation)
    accept(runtime, work, submission, checked_payload(operation, submission.payload))


def hand_on(runtime: Runtime, work: Unit, payload: Mapping[str, Any]) -> str | None:
    """Submit the mail that a notice is about, if any; returns its template."""
    write = _WRITERS[Occasion(payload["occasion"])]
    mail = write(work.session, runtime.settings, payload)
    if mail is None:
        return None
    user_id = mail.pop("user_id")
    mail["language"] = payload["language"]
    whom = about.tags(runtime.vault, address=mail["to"], user_id=user_id)
    note(runtime, work, Submission(SEND, mail, owner_id=None, tags=whom))
    return str(mail["template"])


def _verification(session: Session, settings: Settings, payload: Mapping[str, Any]) -> Mail | None:
    user = by_email(session, payload["email"])
    if user is None or user.email_verified_at or not user.is_active:
        return None
    return _with_link(session, settings, Purpose.VERIFY_EMAIL, Followed(user.id, user.email))


def _reset(session: Session, settings: Settings, payload: Mapping[str, Any]) -> Mail | None:
    user = by_email(session, payload["email"])
    if user is None or not user.is_active:
        return None
    return _with_link(session, settings, Purpose.RESET_PASSWORD, Followed(user.id, user.email))


def _new_address(session: Session, settings: Settings, payload: Mapping[str, Any]) -> Mail | None:
    """To the address that is to be proved; where it is another account's, its owner is told.

    Whoever asked with a former password may be who it was changed against. A change that is under
    way is waited for: it voids the links that it finds.
    """
    lock = {"read": True}
    user = session.get(User, payload["user_id"], with_for_update=lock, populate_existing=True)
    if not (user and password_marks.is_of(vault_of(session), user, payload["password_mark"])):
        return None
    holder = by_email(session, payload["email"])
    if holder and holder.id != user.id:
        return _taken(session, settings, payload)
    to = Followed(user.id, payload["email"])
    return _with_link(session, settings, Purpose.VERIFY_EMAIL, to)


def _taken(session: Session, settings: Settings, payload: Mapping[str, Any]) -> Mail | None:
    holder = by_email(session, payload["email"])
    return _plain(settings, "address_taken", holder.email, holder.id) if holder else None


def _changed(session: Session, settings: Settings, payload: Mapping[str, Any]) -> Mail | None:
    user = session.get(User, payload["user_id"])
    return _plain(settings, "password_changed", user.email, user.id) if user else None


def _moved(session: Session, settings: Settings, payload: Mapping[str, Any]) -> Mail:
    """To the former address, which the payload names."""
    del session
    return _plain(settings, "address_changed", payload["email"], payload["user_id"])


def _confirmation(session: Session, settings: Settings, payload: Mapping[str, Any]) -> Mail | None:
    user = session.get(User, payload["user_id"])
    if user is None or not user.is_active:
        return None
    return _with_link(session, settings, Purpose.CONFIRM_REQUEST, Followed(user.id, user.email))


def _plain(settings: Settings, template: str, address: str, user_id: int) -> Mail:
    link = settings.base_url()
    return {"to": address, "user_id": user_id, "template": template, "variables": {"link": link}}


def _with_link(session: Session, settings: Settings, purpose: Purpose, to: Followed) -> Mail:
    token = links.make(session, settings, purpose, to)
    valid_h = links.valid_h(settings, purpose)
    link = f"{_page(settings, purpose)}?token={token}"
    return {
        "to": to.email,
        "user_id": to.user_id,
        "template": purpose.value,
        "variables": {"link": link, "valid_h": valid_h},
    }


def _page(settings: Settings, purpose: Purpose) -> str:
    if purpose is Purpose.VERIFY_EMAIL:
        return f"{settings.base_url()}{API}/auth/verify-email"
    if purpose is Purpose.CONFIRM_REQUEST:
        return settings.confirmation_page or f"{settings.base_url()}{API}/privacy/confirmation"
    return settings.password_reset_page or f"{settings.base_url()}{API}/auth/password-reset"


_WRITERS: Mapping[Occasion, Callable[[Session, Settings, Mapping[str, Any]], Mail | None]] = (
    MappingProxyType(
        {
            Occasion.REGISTERED: _verification,
            Occasion.REGISTERED_AGAIN: _taken,
            Occasion.UNVERIFIED: _verification,
            Occasion.FORGOTTEN: _reset,
            Occasion.NEW_ADDRESS: _new_address,
            Occasion.PASSWORD_CHANGED: _changed,
            Occasion.ADDRESS_CHANGED: _moved,
            Occasion.TO_CONFIRM: _confirmation,
        }
    )
)
