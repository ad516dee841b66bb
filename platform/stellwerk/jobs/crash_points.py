"""Named places at which a process kills itself, so that chaos tests can die exactly there.

Off unless `STELLWERK_CRASH_FOLDER` names a folder, which production mode refuses. A point is
armed by an empty file in that folder: `after_claim` for the first job that comes by, or
`after_claim.<job id>` for one job. The process that reaches an armed point renames the file to
`<point>.<job id>.fired`, so that it fires once however many processes come by, and then sends
itself SIGKILL: nothing is flushed, closed or told.
"""

import os
import signal
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from uuid import UUID

from stellwerk.settings import Settings


class CrashPoint(StrEnum):
    """In the order in which a job passes them."""

    AFTER_COMMIT = "after_commit"  # accepted or marked as published, nobody told yet
    AFTER_PUBLISH = "after_publish"  # the wake-up is out
    AFTER_ACK_BEFORE_CLAIM = "after_ack_before_claim"  # the message is gone, the job not taken
    AFTER_CLAIM = "after_claim"
    BETWEEN_STEPS = "between_steps"  # a step is stored, the next has not begun
    BEFORE_EFFECT = "before_effect"  # its intent is stored, the call not made
    AFTER_EFFECT = "after_effect"  # the call was made, its outcome is not stored
    BEFORE_FINISH = "before_finish"  # the handler is done, its outcome is not stored
    AFTER_FINISH = "after_finish"  # the outcome is stored, nobody told yet


def reach(settings: Settings, point: CrashPoint, job_id: UUID) -> None:
    """Die here, if somebody armed this point."""
    if settings.crash_folder is not None:
        _die_if_armed(settings.crash_folder, point, job_id)


def _die_if_armed(folder: Path, point: CrashPoint, job_id: UUID) -> None:
    fired = folder / f"{point}.{job_id}.fired"
    for armed in (folder / f"{point}.{job_id}", folder / point):
        with suppress(FileNotFoundError):
            armed.rename(fired)
            os.kill(os.getpid(), signal.SIGKILL)
