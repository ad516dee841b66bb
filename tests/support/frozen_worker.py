"""A worker process that freezes between an effect's intent and its call, until it is thawed.

`python frozen_worker.py JOB_ID` runs one attempt of a `trial.run` job of `effect_of` and prints
what it came to.
"""

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from stellwerk.bootstrap import bootstrap
from stellwerk.diagnostics.recorder import recorder
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.effects import Effect, Probed, Repeat
from stellwerk.jobs.ports import Board, Change, Event
from stellwerk.settings import settings
from trial import trial


@dataclass(slots=True)
class FreezingBoard:
    """Shows nothing; freezes the process as soon as the effect's intent is stored."""

    behind: Board

    def show(self, changes: Sequence[Change]) -> bool:
        """Freeze where a document has the step."""
        for change in changes:
            steps = {step["name"]: step["status"] for step in change.document["steps"]}
            if steps.get("record") == "running":
                os.kill(os.getpid(), signal.SIGSTOP)
        return True

    def emit(self, event: Event, owner_id: int | None) -> None:
        """Say nothing."""

    def keep(self, job_ids: Sequence[UUID]) -> None:
        """Keep nothing."""

    def forget(self, job_ids: Sequence[UUID]) -> bool:
        """Know nothing."""
        del job_ids
        return True


def effect_of(ctx: JobContext, payload: dict[str, Any]) -> None:
    """Do the effect of the kind that the payload's value names."""
    world, kind = recorder(ctx.runtime.settings), Repeat(payload["value"])

    def call(key: str) -> int:
        return world.record(key, f"attempt {ctx.attempt}", once=kind is Repeat.IDEMPOTENT)

    def probe(key: str) -> tuple[Probed, Any]:
        times = world.times(key)
        return (Probed.HAPPENED, times) if times else (Probed.NOT_HAPPENED, None)

    ctx.effect(Effect("record", call, kind, call_timeout_s=1, probe=probe))


def main() -> None:
    """Run the attempt."""
    platform = bootstrap(settings(), role="frozen")
    board = FreezingBoard(platform.runtime.board)
    frozen = replace(platform, runtime=replace(platform.runtime, board=board))
    with trial(frozen, effect_of) as run:
        print(run.attempt(UUID(sys.argv[1])).came)  # noqa: T201  it is what the test reads
    platform.close()


if __name__ == "__main__":
    main()
