"""Named places at which a process kills itself, so that chaos tests can die exactly there.

Off unless `STELLWERK_CRASH_FOLDER` names a folder, which production mode refuses. A point is
armed by an empty file in that folder: `<point>[@<role>][~<step>][.<job id>]`. `after_claim` is for
the first job that comes by, `after_commit@dispatcher.<job id>` for one job and only where a
dispatcher comes by, `between_steps~sleep-2.<job id>` for a step named `sleep` with the key `2`.
The process that reaches an armed point renames the file to one that ends with `.<job id>.fired`,
so that it fires once however many processes come by, and then sends itself SIGKILL: nothing is
flushed, closed or told. A file that holds `SIGSTOP` freezes it instead.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Protocol
from uuid import UUID

from stellwerk.settings import Settings


class CrashPoint(StrEnum):
    """In the order in which a job passes them."""

    AFTER_COMMIT = "after_commit"  # accepted or marked as published, nobody told yet
    AFTER_PUBLISH = "after_publish"  # the wake-up is out
    AFTER_ACK_BEFORE_CLAIM = "after_ack_before_claim"  # the message is gone, the job not taken
    AFTER_CLAIM = "after_claim"
    BETWEEN_STEPS = "between_steps"  # a step is stored, the next has not begun
    WITHIN_STEP = "within_step"  # what it does outside is done, and the step is not stored
    BEFORE_EFFECT = "before_effect"  # its intent is stored, the call not made
    AFTER_EFFECT = "after_effect"  # the call was made, its outcome is not stored
    BEFORE_DIAL = "before_dial"  # a call's intent is stored, the order not sent; by the call's id
    AFTER_DIAL = "after_dial"  # the order was taken, which is not stored; the same
    CALL_HEARD = "call_heard"  # what happened to a call is not stored; the step is its kind
    BEFORE_FINISH = "before_finish"  # the handler is done, its outcome is not stored
    AFTER_FINISH = "after_finish"  # the outcome is stored, nobody told yet


class Passer(Protocol):
    """A process, by what matters here."""

    @property
    def settings(self) -> Settings:
        """Where points are armed."""

    @property
    def role(self) -> str:
        """As it was given to `bootstrap`."""


def reach(
    passer: Passer, point: CrashPoint, job_id: UUID, *, step: str = "", key: str = ""
) -> None:
    """Die here, if somebody armed this point.

    `step` and `key` name a step, an effect, or the list that the job came in.
    """
    folder = passer.settings.crash_folder
    if folder is None:
        return
    label = f"{step}-{key}" if key else step
    for name in _names(point, passer.role, label):
        _die_if_armed(folder, name, job_id)


def _names(point: CrashPoint, role: str, label: str) -> Iterator[str]:
    """Under what it may have been armed."""
    for by in ("", f"@{role}"):
        yield f"{point}{by}"
        if label:
            yield f"{point}{by}~{label}"


def _die_if_armed(folder: Path, name: str, job_id: UUID) -> None:
    fired = folder / f"{name}.{job_id}.fired"
    for armed in (folder / f"{name}.{job_id}", folder / name):
        with suppress(FileNotFoundError):
            armed.rename(fired)
            os.kill(os.getpid(), signal.Signals[fired.read_text() or "SIGKILL"])
