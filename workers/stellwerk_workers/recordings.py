"""Recordings of calls: what the switch wrote becomes an encrypted file of the call's job."""

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import structlog
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from stellwerk.calls.model import Call, CallEvent
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.model import Job
from stellwerk.jobs.runtime import Runtime
from stellwerk.jobs.states import TERMINAL
from stellwerk.providers.calls.protocol import EventKind
from stellwerk.settings import Settings

NAME = "recording.wav"
TYPE = "audio/wav"
COMPLETE_WITHIN_S = 5.0  # after the call's end
LOOK_EVERY_S = 0.25
LEFT_FOR_S = 24 * 3600.0  # what a job has not taken until then it never will
HANGS_UP_WITHIN_S = 60.0
AT_ONCE = 200

log = structlog.get_logger()


def take(ctx: JobContext, call_id: UUID) -> None:
    """Stage the recording as the job's file; without one its log says so."""
    path = place(ctx.runtime.settings, call_id)
    _await_its_end(ctx, call_id)
    if not path.is_file():
        ctx.log("the call was to be recorded, and there is no recording", level="warning")
        return
    own = ctx.workdir / NAME
    try:
        shutil.copyfile(path, own)
    except OSError as exc:
        ctx.log("the recording cannot be read", level="warning", reason=exc.strerror)
        return
    try:
        ctx.artifact(NAME, own, TYPE)
    finally:
        own.unlink()


def remove(runtime: Runtime, call_id: UUID) -> None:
    """The switch's plain file goes, once the job has its own; what cannot go is tried again."""
    try:
        place(runtime.settings, call_id).unlink(missing_ok=True)
    except OSError as exc:
        log.warning("a recording was not removed", call_id=str(call_id), reason=exc.strerror)


def sweep(ctx: JobContext) -> int:
    """Remove plain files of our calls that no job will take any more; how many."""
    gone, folder = 0, folder_of(ctx.runtime.settings)
    for batch in _batches(folder):
        ctx.check()
        with ctx.runtime.sessions() as session:
            left = _left(session, list(batch))
        for call_id in left:
            with suppress(OSError):
                batch[call_id].unlink()
                gone += 1
    return gone


def folder_of(settings: Settings) -> Path:
    """Where this machine finds the switch's recordings."""
    return settings.call_recordings_mount or settings.call_recordings_dir


def place(settings: Settings, call_id: UUID) -> Path:
    """The file that the switch writes of a call."""
    return folder_of(settings) / f"{call_id}.wav"


def _await_its_end(ctx: JobContext, call_id: UUID) -> None:
    """The switch may still be writing when the call has ended: it says when it is done."""
    told = select(CallEvent.id).where(
        CallEvent.call_id == call_id, CallEvent.kind == EventKind.RECORDED.value
    )
    until = time.monotonic() + COMPLETE_WITHIN_S
    while time.monotonic() < until:
        ctx.check()
        with ctx.runtime.sessions() as session:
            if session.scalar(told.limit(1)) is not None:
                return
        time.sleep(LOOK_EVERY_S)


def _batches(folder: Path) -> Iterator[dict[UUID, Path]]:
    batch: dict[UUID, Path] = {}
    for path in folder.glob("*.wav"):
        with suppress(ValueError):
            batch[UUID(path.stem)] = path
        if len(batch) == AT_ONCE:
            yield batch
            batch = {}
    if batch:
        yield batch


def _left(session: Session, call_ids: list[UUID]) -> Sequence[UUID]:
    """Calls that ended as their job did, or long ago, or are nobody's any more.

    Others' files are others' business.
    """
    long_ago = func.now() - timedelta(seconds=LEFT_FOR_S)
    has_job = (
        select(Job.id).where(Job.id == Call.job_id, Job.status.not_in(sorted(TERMINAL))).exists()
    )
    query = select(Call.id).where(
        Call.id.in_(call_ids),
        Call.ended_at.is_not(None),
        or_(~has_job, Call.ended_at < long_ago, Call.user_id.is_(None)),
    )
    return session.scalars(query).all()


def are_being_made(session: Session) -> bool:
    """Whether a call that is nobody's any more is recorded still, and was asked lately to end."""
    lately = func.now() - timedelta(seconds=HANGS_UP_WITHIN_S)
    query = select(Call.id).where(
        Call.user_id.is_(None),
        Call.is_recorded,
        Call.ended_at.is_(None),
        Call.hangup_asked_at > lately,
    )
    return session.scalar(query.limit(1)) is not None
