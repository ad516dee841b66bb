"""Limits hold while many workers claim at the same time, and hold up nobody they do not bound."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from threading import Barrier, Lock
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from people import add_user
from stellwerk.bootstrap import Platform, bootstrap
from stellwerk.diagnostics.operations import ECHO, SLEEP
from stellwerk.jobs import claims, outcomes
from stellwerk.jobs.lifecycle import Outcome
from stellwerk.jobs.limits import admit
from stellwerk.jobs.operation import Registry
from stellwerk.jobs.outcomes import Ended
from stellwerk.jobs.ports import Wakeup
from stellwerk.jobs.runtime import Runtime
from stellwerk.jobs.states import JobStatus
from stellwerk.jobs.submission import Submission, submit

THREADS = 16
JOBS = 2 * THREADS
QUICKLY = "SET LOCAL lock_timeout = '500ms'"

Job = tuple[UUID, int]  # and its owner


@dataclass(slots=True)
class AtWork:
    """What runs at this moment, and the most that ever ran at once, by owner and in all."""

    lock: Lock = field(default_factory=Lock)
    now: Counter[int] = field(default_factory=Counter)
    most_of_owner: int = 0
    most: int = 0

    def change(self, owner: int, by: int) -> None:
        """Note a job that begins or ends."""
        with self.lock:
            self.now[owner] += by
            self.most_of_owner = max(self.most_of_owner, self.now[owner])
            self.most = max(self.most, self.now.total())


@pytest.fixture
def runtime(platform: Platform) -> Iterator[Runtime]:
    """With a connection for each thread."""
    made = bootstrap(platform.settings, role="tests", pool_size=THREADS)
    yield made.runtime
    made.close()


@pytest.fixture
def owners(platform: Platform) -> list[int]:
    return [add_user(platform) for _ in range(2)]


@pytest.mark.parametrize(
    ("limits", "setting", "most_of_owner", "most"),
    [
        ({"max_running": 2}, {}, 2, 2),
        ({"max_running_per_owner": 2}, {}, 2, 4),
        ({}, {"short": 2}, 2, 4),
        ({"max_running": 3, "max_running_per_owner": 2}, {"short": 2}, 2, 3),
    ],
)
def test_no_more_jobs_run_at_any_instant_than_a_limit_says_however_many_are_claimed_at_once(
    runtime: Runtime,
    owners: list[int],
    limits: dict[str, int],
    setting: dict[str, int],
    most_of_owner: int,
    most: int,
) -> None:
    limited = bounded(runtime, setting, **limits)
    jobs = [(submit(runtime, Submission(ECHO.name, {}, one)), one) for one in owners * (JOBS // 2)]
    at_work, start = AtWork(), Barrier(THREADS)

    def work(mine: Sequence[Job]) -> None:
        start.wait(timeout=60)
        left = list(mine)
        while left:
            left = [job for job in left if not has_run(limited, job, at_work)]

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, [jobs[first::THREADS] for first in range(THREADS)]))

    assert at_work.most_of_owner <= most_of_owner
    assert at_work.most <= most


def test_a_claim_waits_only_for_claims_under_the_same_limit(
    runtime: Runtime, owners: list[int]
) -> None:
    mine, mine_too, anothers = (
        submit(runtime, Submission(ECHO.name, {}, owner))
        for owner in (owners[0], owners[0], owners[1])
    )
    limited = bounded(runtime, {}, max_running_per_owner=1)

    def is_admitted(session: Session, job_id: UUID) -> bool:
        session.execute(text(QUICKLY))
        return admit(session, limited.settings, limited.registry.get(ECHO.name), wakeup(job_id))

    with runtime.sessions() as first, runtime.sessions() as second, runtime.sessions() as third:
        assert is_admitted(first, mine)
        with pytest.raises(OperationalError, match="lock timeout"):
            is_admitted(second, mine_too)
        assert is_admitted(third, anothers)


def bounded(runtime: Runtime, owner_max_running: dict[str, int], **limits: Any) -> Runtime:
    """The same with limits on `diagnostics.echo`."""
    settings = runtime.settings.model_copy(update={"owner_max_running": owner_max_running})
    registry = Registry((replace(ECHO, **limits), SLEEP))
    return replace(runtime, registry=registry, settings=settings)


def wakeup(job_id: UUID) -> Wakeup:
    return Wakeup(job_id, 0, ECHO.name, "short")


def has_run(runtime: Runtime, job: Job, at_work: AtWork) -> bool:
    """Claim it and end it at once, unless a limit is in the way."""
    job_id, owner = job
    claimed = claims.claim(runtime, wakeup(job_id), "test", uuid4())
    if claimed is None:
        return False
    at_work.change(owner, 1)
    with runtime.sessions() as session:  # for as long as a round trip
        session.execute(text("SELECT 1"))
    at_work.change(owner, -1)
    ended = Ended(claimed, Outcome(JobStatus.COMPLETED), "completed", 0.0)
    return bool(outcomes.finish(runtime, [ended]))
