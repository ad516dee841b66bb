"""Workers hold no more connections to Postgres than doctor counts."""

from uuid import UUID

import psutil
from sqlalchemy import make_url

from embedded import wait_until
from engine import Engine
from stellwerk.bootstrap import Platform
from stellwerk.db import sizes
from stellwerk.jobs.bulk import submit_all
from stellwerk.jobs.model import Job
from stellwerk.jobs.submission import Submission, submit

ECHOES = 200


def held(platform: Platform, process: psutil.Process) -> int:
    """Its connections to Postgres."""
    port = make_url(platform.settings.database()).port
    return sum(
        bool(one.raddr) and one.raddr.port == port and one.status == psutil.CONN_ESTABLISHED
        for one in process.net_connections("tcp")
    )


def children_of(engine: Engine, number: int) -> list[psutil.Process]:
    """All of the worker for long jobs; one that a job killed is started again in a moment."""
    worker = psutil.Process(engine.processes["long"].pid)
    wait_until(lambda: len(worker.children()) == number)
    return worker.children()


def status(platform: Platform, job_id: UUID) -> str:
    with platform.runtime.sessions() as session:
        return session.get_one(Job, job_id).status


def test_no_process_holds_more_connections_than_doctor_counts(
    platform: Platform, engine: Engine
) -> None:
    short = psutil.Process(engine.processes["short"].pid)
    children = children_of(engine, platform.settings.long_slots)
    sleeps = [
        submit(platform.runtime, Submission("diagnostics.sleep", {"seconds": 3}, owner_id=None))
        for _ in children
    ]
    echoes = [Submission("diagnostics.echo", {"wait_ms": 50}, owner_id=None) for _ in range(ECHOES)]
    submit_all(platform.runtime, echoes)
    last = (*sleeps, echoes[-1].job_id)
    most = dict.fromkeys((short, *children), 0)

    def is_over() -> bool:
        for process in most:
            most[process] = max(most[process], held(platform, process))
        return all(status(platform, job_id) == "completed" for job_id in last)

    wait_until(is_over, timeout_s=60)
    assert 0 < most[short] <= sizes.of_threads(platform.settings.short_slots)
    assert 0 < max(most[child] for child in children) <= sizes.of_child()
