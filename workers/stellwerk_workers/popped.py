"""Notices wake-ups that workers took from the broker and did not claim, because they died.

A worker claims what it takes at once, and a queue's messages leave the broker in the order in
which they came. So whatever was sent before the message that comes next was taken; where a job of
that time is still unclaimed a few seconds later, its wake-up is lost. It need not be right: a job
that is published again while its worker lives is claimed once.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from stellwerk.broker.messages import first_job, queue_key
from stellwerk.db.engine import Sessions
from stellwerk.jobs.model import Job
from stellwerk.live.client import LiveClient
from stellwerk.live.lines import Command, Reply
from stellwerk.live.pipeline import ask

PATIENCE = timedelta(seconds=5)  # from taking a wake-up to its claim
ON_ITS_WAY = timedelta(seconds=2)  # from a wake-up's time in the ledger to the broker


class Look(NamedTuple):
    """What was sent before `taken_before` had been taken at `at` (both Postgres's time)."""

    at: datetime
    taken_before: datetime


class Popped:
    """What one dispatcher saw of the broker's queues."""

    def __init__(self, sessions: Sessions, broker: LiveClient, queues: Sequence[str]) -> None:
        self._sessions = sessions
        self._broker = broker
        self._looks: Mapping[str, deque[Look]] = {queue: deque() for queue in queues}

    def look(self) -> Mapping[str, datetime]:
        """By queue, since when wake-ups may be under way: unclaimed ones from before are lost."""
        with self._sessions() as session:
            now = session.scalars(select(func.clock_timestamp())).one()
            for queue, message in self._next_messages().items():
                sent_at = now if message is None else _sent_at(session, message)
                if sent_at:
                    self._looks[queue].append(Look(now, sent_at - ON_ITS_WAY))
        found = {queue: _lost_before(looks, now) for queue, looks in self._looks.items()}
        return {queue: before for queue, before in found.items() if before}

    def _next_messages(self) -> Mapping[str, bytes | None]:
        """The message of each queue that comes next, None where it is empty."""
        asked: list[Command] = [("LINDEX", queue_key(queue), -1) for queue in self._looks]
        nothing: list[Reply] = []
        replies = self._broker.ask(lambda _: ask(self._broker.lines, asked), otherwise=nothing)
        return dict(zip(self._looks, replies, strict=False))  # nothing without Redis


def _sent_at(session: Session, message: bytes) -> datetime | None:
    """When it was sent, where that can be told: another may have come of the same job since."""
    found = first_job(message)
    if found is None:
        return None
    job_id, attempt = found
    query = select(Job.published_at).where(Job.id == UUID(job_id), Job.attempt == attempt)
    return session.scalar(query)


def _lost_before(looks: deque[Look], now: datetime) -> datetime | None:
    """By the last look that is old enough."""
    while len(looks) > 1 and looks[1].at <= now - PATIENCE:
        looks.popleft()
    return looks[0].taken_before if looks and looks[0].at <= now - PATIENCE else None
