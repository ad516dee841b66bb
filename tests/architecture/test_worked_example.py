"""`docs/effects_children_and_signals.md`: its example, run as it stands."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from stellwerk.bootstrap import Platform
from stellwerk.jobs import control, queries
from stellwerk.jobs.model import Job
from stellwerk.jobs.operation import Registry
from stellwerk.jobs.ports import Wakeup
from stellwerk.jobs.runtime import Runtime
from stellwerk.jobs.submission import Submission, submit
from stellwerk_workers import handlers
from stellwerk_workers.heartbeat import Heartbeat
from stellwerk_workers.runner import Runner

PAGE = Path(__file__).resolve().parents[2] / "docs" / "effects_children_and_signals.md"


@pytest.fixture
def example() -> Iterator[dict[str, Any]]:
    """The names that the page's Python defines."""
    code = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {"__name__": "example"}
    exec("".join(code), names)  # noqa: S102  our own documentation
    yield names
    for operation in ("DRAW", "PRINT"):
        handlers.forget(names[operation].name)


def test_an_album_is_printed_once_its_pages_are_drawn_and_approved(
    platform: Platform, example: dict[str, Any]
) -> None:
    runtime = replace(platform.runtime, registry=Registry((example["DRAW"], example["PRINT"])))
    pictures = {"pictures": ["sea", "hills"]}
    album = submit(runtime, Submission("albums.print", pictures, owner_id=None))

    work_until_idle(runtime)
    assert document(runtime, album)["message"] == "waiting for approved"
    control.signal(runtime, album, "approved", data={"copies": 3})
    work_until_idle(runtime)

    printed = document(runtime, album)
    assert printed["status"] == "completed"
    assert printed["result"]["order"]["pages"] == ["sea, framed", "hills, framed"]
    assert printed["result"]["order"]["copies"] == 3


def work_until_idle(runtime: Runtime) -> None:
    """A worker that takes every queued job, again and again, until there is none."""
    heartbeat = Heartbeat(runtime)
    runner = Runner(runtime, heartbeat, lambda: False)
    while wakeups := queued(runtime):
        for wakeup in wakeups:
            runner.run(wakeup, "example")
    heartbeat.stop()


def queued(runtime: Runtime) -> list[Wakeup]:
    with runtime.sessions() as session:
        jobs = session.scalars(select(Job).where(Job.status == "queued").order_by(Job.id))
        return [Wakeup(job.id, job.attempt, job.operation, job.queue) for job in jobs]


def document(runtime: Runtime, job_id: UUID) -> dict[str, Any]:
    with runtime.sessions() as session:
        return queries.change(session, runtime.registry, job_id).document
