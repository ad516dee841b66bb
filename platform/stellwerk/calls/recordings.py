"""Plain recordings as the switch wrote them: where they are, and which of them have to go."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from stellwerk.calls.model import Call
from stellwerk.jobs.model import Job
from stellwerk.jobs.states import TERMINAL
from stellwerk.settings import Settings

LEFT_FOR_S = 24 * 3600.0  # what a job has not taken until then it never will
OVERDUE_S = 2 * 3600.0  # housekeeping removes them every hour
AT_ONCE = 200
ENDING = ".wav"


@dataclass(frozen=True, slots=True)
class Due:
    """A plain file that no job will take any more; `is_nobodys`: of an erased person's call."""

    call_id: UUID
    path: Path
    is_nobodys: bool
    is_overdue: bool


def folder_of(settings: Settings) -> Path:
    """Where this machine finds the switch's recordings."""
    return settings.call_recordings_mount or settings.call_recordings_dir


def place(settings: Settings, call_id: UUID) -> Path:
    """The file that the switch writes of a call."""
    return folder_of(settings) / f"{call_id}{ENDING}"


def batches(folder: Path) -> Iterator[dict[UUID, Path]]:
    """Files that are named like calls; others' are others' business.

    Without the folder there are none. Raises OSError where it cannot be read.
    """
    batch: dict[UUID, Path] = {}
    try:
        files = [path for path in folder.iterdir() if path.suffix == ENDING]
    except FileNotFoundError:
        return
    for path in files:
        try:
            batch[UUID(path.stem)] = path
        except ValueError:
            continue
        if len(batch) == AT_ONCE:
            yield batch
            batch = {}
    if batch:
        yield batch


def due(session: Session, batch: Mapping[UUID, Path]) -> list[Due]:
    """Those of our calls that ended as their job did, or long ago, or are nobody's any more."""
    long_ago = func.now() - timedelta(seconds=LEFT_FOR_S)
    has_job = (
        select(Job.id).where(Job.id == Call.job_id, Job.status.not_in(sorted(TERMINAL))).exists()
    )
    ended_before = func.now() - timedelta(seconds=LEFT_FOR_S + OVERDUE_S)
    query = select(Call.id, Call.user_id.is_(None), Call.ended_at < ended_before).where(
        Call.id.in_(batch),
        Call.ended_at.is_not(None),
        or_(~has_job, Call.ended_at < long_ago, Call.user_id.is_(None)),
    )
    return [
        Due(call_id, batch[call_id], is_nobodys, is_overdue)
        for call_id, is_nobodys, is_overdue in session.execute(query)
    ]


def are_there(session: Session) -> bool:
    """Whether any call was ever to be recorded; without one nobody looks for files."""
    return session.scalar(select(Call.id).where(Call.is_recorded).limit(1)) is not None


def overdue(session: Session, settings: Settings) -> int:
    """How many are still there that workers should have removed: they may not, it seems.

    Raises OSError where the folder cannot be read.
    """
    if not are_there(session):
        return 0
    files = (one for batch in batches(folder_of(settings)) for one in due(session, batch))
    return sum(one.is_nobodys or one.is_overdue for one in files)


def are_nobodys(session: Session, *, asked_within_s: float | None = None) -> int:
    """How many calls are recorded still whose maker is erased, of those asked lately to end."""
    query = select(func.count()).where(
        Call.user_id.is_(None), Call.is_recorded, Call.ended_at.is_(None)
    )
    if asked_within_s is not None:
        lately = func.now() - timedelta(seconds=asked_within_s)
        query = query.where(Call.hangup_asked_at > lately)
    return session.scalars(query).one()
