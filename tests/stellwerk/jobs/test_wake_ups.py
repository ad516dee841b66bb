"""No wake-up is lost where a wait begins while what it waits for arrives, in either order."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from sqlalchemy import text

from embedded import wait_until
from stellwerk.bootstrap import Platform
from stellwerk.jobs import control, lifecycle
from stellwerk.jobs.awaited import Awaited
from stellwerk.jobs.interruptions import Suspended
from stellwerk.jobs.lifecycle import Outcome
from stellwerk.jobs.lineage import Parent
from stellwerk.jobs.model import JobSignal
from stellwerk.jobs.runtime import Unit, unit
from stellwerk.jobs.states import JobStatus
from stellwerk.jobs.suspension import suspend
from trial import Trial, trial

ALL = Awaited(None, fails_fast=True)
WAITS = {"children": Suspended("children", None, ALL), "signal": Suspended("go", None)}

_BLOCKED = text("""
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
""")

Change = Callable[[Unit], None]


@pytest.mark.parametrize("waits_for", WAITS)
@pytest.mark.parametrize("is_first", [True, False], ids=["first", "last"])
def test_what_arrives_while_a_wait_begins_sends_the_job_on(
    platform: Platform, waits_for: str, *, is_first: bool
) -> None:
    with trial(platform, print) as run:
        parent = run.submit()
        child = run.submit(parent=Parent(parent, "a"))
        begins = waiting(run, parent, waits_for)
        arrives = ending(run, child) if waits_for == "children" else signalling(run, parent)

        race(run, *((arrives, begins) if is_first else (begins, arrives)))

        assert run.row(parent).status == "queued"


def test_of_two_children_that_end_at_the_same_time_the_last_wakes_their_parent_once(
    platform: Platform,
) -> None:
    with trial(platform, print) as run:
        parent = run.submit()
        children = [run.submit(parent=Parent(parent, key)) for key in "ab"]
        with unit(run.runtime) as work:
            waiting(run, parent, "children")(work)
        before = run.row(parent).version

        race(run, *(ending(run, child) for child in children))

        assert (run.row(parent).status, run.row(parent).version) == ("queued", before + 1)


def race(run: Trial, first: Change, second: Change) -> None:
    """Hold the first one's transaction open until the second waits for its locks."""

    def follow() -> None:
        with unit(run.runtime) as work:
            second(work)

    with ThreadPoolExecutor(1) as pool:
        with unit(run.runtime) as work:
            first(work)
            work.session.flush()
            followed = pool.submit(follow)
            wait_until(lambda: is_anybody_blocked(run) or followed.done())
            assert not followed.done(), "it did not have to wait"
        followed.result(timeout=60)


def is_anybody_blocked(run: Trial) -> bool:
    with run.runtime.sessions() as session:
        return bool(session.scalar(_BLOCKED))


def waiting(run: Trial, parent: UUID, what: str) -> Change:
    """An attempt of the parent begins to wait."""
    claimed = run.claim(parent)
    assert claimed
    return lambda work: suspend(work, claimed, WAITS[what])


def ending(run: Trial, child: UUID) -> Change:
    def end(work: Unit) -> None:
        job = control.locked(work.session, child)
        lifecycle.end(run.runtime, work, job, Outcome(JobStatus.COMPLETED, result={}))

    return end


def signalling(run: Trial, parent: UUID) -> Change:
    def send(work: Unit) -> None:
        message = JobSignal(job_id=parent, name="go")
        control.send_signal(run.runtime, work, control.locked(work.session, parent), message)

    return send
