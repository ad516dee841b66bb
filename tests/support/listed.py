"""Jobs of a made-up operation that come to a worker in one list."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from stellwerk.bootstrap import Platform
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.ports import Wakeup
from stellwerk_workers.finisher import Finisher, Told
from stellwerk_workers.lists import JobList
from stellwerk_workers.reports import Came
from trial import NAME, Trial, trial

Handler = Callable[[JobContext, dict[str, Any]], Any]


class Listed:
    """A trial whose jobs come in lists."""

    def __init__(self, run: Trial) -> None:
        self.run = run
        self.told: list[Told] = []
        self.finisher = Finisher(run.runner, self.told.extend)

    def carry_out(self, job_ids: list[UUID]) -> None:
        rows = [self.run.row(job_id) for job_id in job_ids]
        wakeups = [Wakeup(row.id, row.attempt, NAME, "short") for row in rows]
        operation = self.run.runtime.registry.get(NAME)
        JobList(self.run.runner, self.finisher, operation).run(wakeups, "trial")

    def came(self) -> dict[UUID, Came]:
        return {item.claimed.job_id: item.report.came for item in self.told}


@contextmanager
def listed(platform: Platform, handler: Handler, **changed: Any) -> Iterator[Listed]:
    settings = platform.settings.model_copy(update=changed)
    with trial(platform, handler, settings=settings) as run:
        made = Listed(run)
        try:
            yield made
        finally:
            made.finisher.stop()
