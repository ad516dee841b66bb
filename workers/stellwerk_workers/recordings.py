"""Recordings of calls: what the switch wrote becomes an encrypted file of the call's job."""

import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from stellwerk.calls import recordings as plain
from stellwerk.calls.model import CallEvent
from stellwerk.errors import Unavailable
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.runtime import Runtime
from stellwerk.providers.calls.protocol import EventKind

NAME = "recording.wav"
TYPE = "audio/wav"
COMPLETE_WITHIN_S = 5.0  # after the call's end
LOOK_EVERY_S = 0.25
HANGS_UP_WITHIN_S = 60.0

log = structlog.get_logger()


def take(ctx: JobContext, call_id: UUID) -> None:
    """Stage the recording as the job's file; without one its log says so."""
    path = plain.place(ctx.runtime.settings, call_id)
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
    _is_removed(plain.place(runtime.settings, call_id), call_id)


@dataclass(frozen=True, slots=True)
class Swept:
    """Files that are gone, and that could not be removed; `nobodys`: of those, of erased people."""

    gone: int = 0
    kept: int = 0
    nobodys: int = 0


def sweep(ctx: JobContext) -> Swept:
    """Remove plain files of our calls that no job will take any more; says which it may not."""
    swept = Swept()
    with ctx.runtime.sessions() as session:
        if not plain.are_there(session):
            return swept
    try:
        for batch in plain.batches(plain.folder_of(ctx.runtime.settings)):
            ctx.check()
            with ctx.runtime.sessions() as session:
                files = plain.due(session, batch)
            for file in files:
                swept = _swept(swept, file)
    except OSError as exc:
        log.warning("recordings cannot be looked for", reason=exc.strerror)
        return replace(swept, kept=swept.kept + 1, nobodys=swept.nobodys + 1)
    return swept


def purge(ctx: JobContext) -> int:
    """The same for housekeeping; raises Unavailable, so that it is tried again and noticed."""
    swept = sweep(ctx)
    if swept.kept:
        folder = plain.folder_of(ctx.runtime.settings)
        message = (
            f"Plain recordings could not be removed ({swept.kept}): let this worker's user delete "
            f"in {folder}. Its log names them."
        )
        raise Unavailable(message)
    return swept.gone


def left_of_erased(ctx: JobContext) -> int:
    """Sweep; how many recordings of calls that are nobody's any more are there still.

    One that is being made still will be a file.
    """
    swept = sweep(ctx)
    with ctx.runtime.sessions() as session:
        return swept.nobodys + plain.are_nobodys(session)


def are_being_made(session: Session) -> bool:
    """Whether a call that is nobody's any more is recorded still, and was asked lately to end."""
    return plain.are_nobodys(session, asked_within_s=HANGS_UP_WITHIN_S) > 0


def _swept(swept: Swept, file: plain.Due) -> Swept:
    if _is_removed(file.path, file.call_id):
        return replace(swept, gone=swept.gone + 1)
    return replace(swept, kept=swept.kept + 1, nobodys=swept.nobodys + file.is_nobodys)


def _is_removed(path: Path, call_id: UUID) -> bool:
    try:
        path.unlink(missing_ok=True)
    except OSError as exc:
        log.warning("a recording was not removed", call_id=str(call_id), reason=exc.strerror)
        return False
    return True


def _await_its_end(ctx: JobContext, call_id: UUID) -> None:
    """The switch may still be writing when the call has ended: it says when it is done."""
    told = select(CallEvent.id).where(
        CallEvent.call_id == call_id, CallEvent.kind == EventKind.RECORDED.value
    )
    until = time.monotonic() + COMPLETE_WITHIN_S
    while time.monotonic() < until:
        with ctx.runtime.sessions() as session:
            if session.scalar(told.limit(1)) is not None:
                return
        ctx.sleep(LOOK_EVERY_S)
