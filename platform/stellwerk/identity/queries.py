"""Reads about accounts."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from stellwerk.identity.allowances import allowances
from stellwerk.identity.model import User
from stellwerk.identity.permissions import Role
from stellwerk.jobs.remains import JobCost
from stellwerk.settings import Settings


@dataclass(frozen=True, slots=True)
class UserFilter:
    """What a list of accounts is narrowed to; `after_id` ended the page before."""

    email: str | None = None
    role: str | None = None
    tier: str | None = None
    is_active: bool | None = None
    after_id: int | None = None
    limit: int = 50


def users(session: Session, wanted: UserFilter) -> Sequence[User]:
    """Accounts, newest first."""
    query = select(User).where(*_conditions(wanted)).order_by(User.id.desc())
    return session.scalars(query.limit(wanted.limit)).all()


def staff(session: Session) -> Sequence[User]:
    """Operators and administrators, the first made first."""
    query = select(User).where(User.role.in_((Role.OPERATOR, Role.ADMIN)))
    return session.scalars(query.order_by(User.id)).all()


def has_email(email: str) -> ColumnElement[bool]:
    """Whether an account is that of the address, without regard to case."""
    return func.lower(User.email) == email.strip().lower()


def profile(session: Session, settings: Settings, user: User) -> dict[str, object]:
    """An account as its owner sees it: limits in force, money in EUR."""
    return next(profiles(session, settings, [user]))


def profiles(
    session: Session, settings: Settings, found: Sequence[User]
) -> Iterator[dict[str, object]]:
    """The same of many."""
    spent = _total_spent_eur(session, [user.id for user in found])
    for user in found:
        allowed = allowances(settings, user)
        yield {
            **{name: getattr(user, name) for name in _SHOWN},
            "channels_limit": allowed.channels,
            "daily_video_limit": allowed.daily_videos,
            "monthly_budget": allowed.monthly_budget,
            "total_spent": spent.get(user.id, Decimal()),
        }


_SHOWN = (
    "id",
    "email",
    "username",
    "full_name",
    "role",
    "is_active",
    "email_verified_at",
    "subscription_tier",
    "is_beta_user",
    "created_at",
    "updated_at",
)


def _conditions(wanted: UserFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.email is not None:
        yield has_email(wanted.email)
    if wanted.role is not None:
        yield User.role == wanted.role
    if wanted.tier is not None:
        yield User.subscription_tier == wanted.tier
    if wanted.is_active is not None:
        yield User.is_active.is_(wanted.is_active)
    if wanted.after_id is not None:
        yield User.id < wanted.after_id


def _total_spent_eur(session: Session, user_ids: Iterable[int]) -> dict[int, Decimal]:
    """The sums of these users' cost lines; who has none is left out."""
    query = (
        select(JobCost.owner_id, func.sum(JobCost.amount))
        .where(JobCost.owner_id.in_(user_ids))
        .group_by(JobCost.owner_id)
    )
    return {owner: Decimal(spent) for owner, spent in session.execute(query) if owner is not None}
