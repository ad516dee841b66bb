"""What every process of the engine is given by `bootstrap`, and its unit of work."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

import structlog
from sqlalchemy import TextClause, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from stellwerk.configuration.present import Configuration
from stellwerk.db.direct import Direct
from stellwerk.db.engine import Sessions
from stellwerk.errors import Unavailable
from stellwerk.jobs.crash_points import CrashPoint, reach
from stellwerk.jobs.model import Job
from stellwerk.jobs.operation import Registry
from stellwerk.jobs.ports import Board, Change, Copies, News, Publisher, Standings, Wakeup
from stellwerk.jobs.queries import changes
from stellwerk.providers.catalogue import Providers
from stellwerk.settings import Settings
from stellwerk.vault import Vault

log = structlog.get_logger()


def unpublish(which: str) -> TextClause:
    """A statement that lets wake-ups of queued jobs count as not sent, `which` by SQL on `jobs`.

    In the order of ids, as whoever claims or ends many jobs locks them.
    """
    return text(f"""
        UPDATE jobs SET published_at = NULL WHERE id IN (
            SELECT id FROM jobs
            WHERE {which} AND status = 'queued' AND published_at IS NOT NULL
            ORDER BY id FOR NO KEY UPDATE)
    """)


_UNPUBLISH = unpublish("id = ANY(:ids)")


@dataclass(frozen=True, slots=True)
class Runtime:
    """The engine's collaborators, chosen once per process."""

    settings: Settings
    registry: Registry
    sessions: Sessions
    direct: Direct
    configuration: Configuration
    publisher: Publisher
    board: Board
    copies: Copies
    news: News
    standings: Standings
    providers: Providers
    vault: Vault
    role: str = ""  # as given to `bootstrap`
    ended: tuple["EndListener", ...] = ()  # told of ends that somebody wants to hear of
    secured: tuple["AccountListener", ...] = ()  # told of accounts that got a new password
    # Where threads accept jobs together, by queue.
    gatherings: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)


@dataclass(slots=True)
class Unit:
    """One transaction, and what is told to the world once it is committed."""

    session: Session
    changed: set[UUID] = field(default_factory=set)
    wakeups: list[Wakeup] = field(default_factory=list)


EndListener = Callable[[Runtime, Unit, Job], None]


class AccountListener(Protocol):
    """Ends what somebody else may have left in an account, with its new password.

    `is_takeover`: its address is proved for the first time, so that all that was there may be
    somebody else's.
    """

    def __call__(self, runtime: Runtime, work: Unit, user_id: int, *, is_takeover: bool) -> None:
        """Within the transaction that sets the password."""


@contextmanager
def unit(runtime: Runtime) -> Iterator[Unit]:
    """Commit first; only then show the changed jobs and publish their wake-ups."""
    with runtime.sessions() as session:
        work = Unit(session)
        yield work
        session.flush()
        shown = changes(session, runtime.registry, work.changed)
        session.commit()
    announce(runtime, shown, work.wakeups)


def announce(runtime: Runtime, shown: Sequence[Change], wakeups: Sequence[Wakeup]) -> None:
    """The same as `tell`, and now and then find out how long jobs take."""
    tell(runtime, shown, wakeups)
    measure(runtime)


def tell(runtime: Runtime, shown: Sequence[Change], wakeups: Sequence[Wakeup]) -> None:
    """Show changes and send wake-ups; those that cannot be sent are left to the dispatcher."""
    _after_commit(runtime, shown, wakeups)
    if wakeups:
        _send(runtime, shown, wakeups)
    else:
        runtime.board.show(shown)


def _send(runtime: Runtime, shown: Sequence[Change], wakeups: Sequence[Wakeup]) -> None:
    try:
        runtime.publisher.announce(shown, wakeups)
    except Unavailable as exc:
        log.warning("wake-ups not sent, the dispatcher will", count=len(wakeups), reason=str(exc))
        leave_to_dispatcher(runtime, [wakeup.job_id for wakeup in wakeups])
    for wakeup in wakeups:
        reach(runtime, CrashPoint.AFTER_PUBLISH, wakeup.job_id)


def measure(runtime: Runtime) -> None:
    """Now and then, how long jobs take: between transactions, so that none waits for it."""
    registry = runtime.registry
    if not registry.history.is_due():
        return
    try:
        with runtime.sessions() as session:
            registry.history.refresh(session, registry.names())
    except SQLAlchemyError as exc:
        log.warning("not measured how long jobs take", reason=str(exc).splitlines()[0])


def _after_commit(runtime: Runtime, shown: Sequence[Change], wakeups: Sequence[Wakeup]) -> None:
    accepted = {change.job_id for change in shown if change.version == 1}
    for job_id in accepted | {wakeup.job_id for wakeup in wakeups}:
        reach(runtime, CrashPoint.AFTER_COMMIT, job_id)
    for change in shown:
        if change.is_final:
            reach(runtime, CrashPoint.AFTER_FINISH, change.job_id)


def leave_to_dispatcher(runtime: Runtime, job_ids: Sequence[UUID]) -> None:
    """Mark queued jobs as unpublished, so that a dispatcher publishes them at its next turn."""
    try:
        with runtime.sessions.begin() as session:
            session.execute(_UNPUBLISH, {"ids": list(job_ids)})
    except SQLAlchemyError as exc:  # they stay marked as published and go out again a little later
        log.warning("wake-ups stay marked as sent", reason=str(exc).splitlines()[0])
