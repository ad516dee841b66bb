"""A worker process that freezes between its effects' intents and their calls, until it is thawed.

`python frozen_worker.py JOB_ID ...` runs one attempt each of `trial.run` jobs of `effect_of`, at
the same time, and prints what they came to.
"""

import os
import signal
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from threading import Barrier
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
    """Shows nothing; freezes the process as soon as every effect's intent is stored."""

    behind: Board
    together: Barrier

    def show(self, changes: Sequence[Change]) -> bool:
        """Freeze where a document has the step."""
        for change in changes:
            steps = {step["name"]: step["status"] for step in change.document["steps"]}
            if steps.get("record") == "running":
                self.together.wait()
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
    jobs = [UUID(one) for one in sys.argv[1:]]
    together = Barrier(len(jobs), action=lambda: os.kill(os.getpid(), signal.SIGSTOP))
    board = FreezingBoard(platform.runtime.board, together)
    frozen = replace(platform, runtime=replace(platform.runtime, board=board))
    with trial(frozen, effect_of) as run, ThreadPoolExecutor(len(jobs)) as threads:
        reports = threads.map(run.attempt, jobs)
        print(*(report.came for report in reports))  # noqa: T201  it is what the test reads
    platform.close()


if __name__ == "__main__":
    main()
