"""Which accounts nobody needs, and which one nobody can do without."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import Session

from stellwerk.errors import Conflict
from stellwerk.identity.model import User
from stellwerk.identity.permissions import Role
from stellwerk.jobs.remains import JobTombstone
from stellwerk.privacy.model import PrivacyRequest, RequestKind

# What an account has though its owner never came back.
MADE_WITH_IT = frozenset({"mailed_links", "audit_subject_keys"})


_GOING = (
    PrivacyRequest.kind == RequestKind.ERASE,
    PrivacyRequest.finished_at.is_(None),
    PrivacyRequest.user_id.is_not(None),
)


def unused(session: Session, days: int, *, limit: int) -> Sequence[int]:
    """Accounts that hold nothing, whose address nobody verified, made and left `days` ago."""
    long_ago = func.now() - timedelta(days=days)
    query = select(User.id).where(
        User.email_verified_at.is_(None),
        User.role == Role.USER,
        User.created_at < long_ago,
        func.coalesce(User.last_signed_in_at, User.created_at) < long_ago,
        *(~exists().where(column == User.id) for column in _traces()),
    )
    return session.scalars(query.order_by(User.id).limit(limit)).all()


def refuse_last_admin(session: Session, user_id: int) -> None:
    """Raise Conflict for the only administrator who stays; others are about to be erased.

    Admins are locked in the order of ids, so that the last two cannot both go at once.
    """
    user = session.get(User, user_id)
    if user is None or user.role != Role.ADMIN:
        return
    admins = select(User.id).where(User.role == Role.ADMIN, User.is_active).order_by(User.id)
    stay = set(session.scalars(admins.with_for_update(key_share=True)))
    stay -= set(session.scalars(select(PrivacyRequest.user_id).where(*_GOING)))
    if not stay - {user_id}:
        raise Conflict("The last administrator cannot be erased. Make another one first.")


def _traces() -> Iterator[ColumnElement[int | None]]:
    """Every column of any domain that tells that somebody did something."""
    yield JobTombstone.__table__.c.owner_id
    for table in User.metadata.sorted_tables:
        if table.name not in MADE_WITH_IT:
            yield from (
                key.parent for key in table.foreign_keys if key.column.table is User.__table__
            )
