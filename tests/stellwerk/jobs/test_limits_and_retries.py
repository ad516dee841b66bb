"""Time limits, back-off, older payloads and passing events of an attempt."""

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from engine import as_variables
from stellwerk.bootstrap import Platform
from stellwerk.jobs.claims import Claim
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.limits import Limits
from stellwerk.jobs.model import Job
from stellwerk.jobs.operation import Operation, RetryPolicy
from stellwerk.live import keys
from stellwerk.settings import environment
from stellwerk_workers.reports import Came
from stellwerk_workers.verdicts import backoff_s
from trial import NAME, AnyPayload, trial

ONCE = RetryPolicy(max_attempts=1)

# A handler that hears of nothing, in a process of its own: it is going to be killed.
DEAF = """
from threading import Event
from stellwerk.bootstrap import bootstrap
from stellwerk.settings import load_settings
from trial import trial

def handler(ctx, payload):
    print(ctx.job_id, flush=True)
    Event().wait()  # for nothing, and deaf to everything

platform = bootstrap(load_settings(), role="deaf")
with trial(platform, handler, time_limit_s=0.5) as run:
    run.attempt(run.submit())
"""


@pytest.mark.parametrize(
    ("declared", "slots", "most"),
    [
        ({"max_share": 0.5}, 8, 4),
        ({"max_share": 0.5}, 1, 1),
        ({"max_share": 0.5, "max_running": 3}, 8, 3),
        ({"max_share": 0.5, "max_running": 9}, 8, 4),
        ({"max_running": 9}, 8, 9),
    ],
)
def test_an_operations_share_is_one_of_its_own_queues_slots(
    platform: Platform, declared: dict[str, Any], slots: int, most: int
) -> None:
    settings = platform.settings.model_copy(update={"short_slots": slots, "long_slots": 99})
    with trial(platform, lambda *_: None, **declared) as run:
        operation = run.runtime.registry.get(NAME)
    for queue in ("short", "long"):  # where a job goes whose worker vanished
        assert Limits.of(settings, operation, queue).max_running == most


def test_a_job_that_takes_too_long_is_stopped_and_says_why(platform: Platform) -> None:
    def sleeping(ctx: JobContext, _: dict[str, Any]) -> None:
        ctx.sleep(60)

    # Whoever does not stop in time is killed with its process: that would be this one.
    settings = platform.settings.model_copy(update={"job_kill_grace_s": 60.0})
    with trial(platform, sleeping, settings=settings, time_limit_s=0.5, retry=ONCE) as run:
        job_id = run.submit()
        assert run.attempt(job_id).came is Came.FAILED
    assert run.document(job_id)["error"]["code"] == "TIME_LIMIT_EXCEEDED"


@pytest.mark.parametrize(
    ("attempts", "becomes"), [(1, ("failed", "short")), (2, ("queued", "long"))]
)
def test_what_is_written_of_a_handler_that_does_not_listen_before_its_process_dies(
    platform: Platform, attempts: int, becomes: tuple[str, str]
) -> None:
    dead = Event()

    def deaf(*_: Any) -> None:
        dead.wait()

    settings = platform.settings.model_copy(update={"job_kill_grace_s": 0.1})
    retry = RetryPolicy(max_attempts=attempts)
    with trial(platform, deaf, settings=settings, time_limit_s=0.1, retry=retry) as run:
        run.runner = replace(run.runner, die=dead.set)  # the process is this one
        job_id = run.submit()
        assert run.attempt(job_id).came is Came.NOTHING
    job = run.row(job_id)
    assert job.error
    assert job.error["code"] == "TIME_LIMIT_EXCEEDED"
    assert ((job.status, job.queue), job.failures) == (becomes, 1)


def test_a_handler_that_does_not_listen_is_killed_with_its_process(platform: Platform) -> None:
    variables = as_variables(platform.settings) | {"STELLWERK_JOB_KILL_GRACE_S": "0.5"}
    support = str(Path(__file__).resolve().parents[2] / "support")
    ran = subprocess.run(  # noqa: S603  our own script
        [sys.executable, "-c", DEAF],
        env=environment() | variables | {"PYTHONPATH": support},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    with platform.runtime.sessions() as session:
        job = session.get_one(Job, UUID(ran.stdout.split()[0]))
    assert job.error
    assert (job.error["code"], job.failures) == ("TIME_LIMIT_EXCEEDED", 1)


@given(failures=st.integers(0, 20), asked_s=st.none() | st.floats(0, 5000))
def test_back_off_stays_under_its_ceiling_and_never_before_what_the_provider_asked(
    failures: int, asked_s: float | None
) -> None:
    waits_s = backoff_s(_claim(failures), asked_s)
    ceiling_s = min(600.0, 2.0 * 2**failures)
    assert (asked_s or 0) <= waits_s <= max(ceiling_s, asked_s or 0)


def test_back_off_is_spread_over_its_whole_range() -> None:
    waits_s = [backoff_s(_claim(3), None) for _ in range(500)]
    assert min(waits_s) < 2
    assert max(waits_s) > 14


def test_a_payload_of_an_older_version_reaches_the_handler_in_todays_shape(
    platform: Platform,
) -> None:
    upcasters = {1: lambda payload: {"value": [payload["value"]]}}
    with trial(platform, lambda _, payload: payload, version=2, upcasters=upcasters) as run:
        job_id = run.submit()
        with run.runtime.sessions.begin() as session:
            session.execute(update(Job).values(operation_version=1, payload={"value": 7}))
        run.attempt(job_id)
    assert run.document(job_id)["result"] == {"value": [7]}


def test_events_that_are_not_kept_reach_those_who_watch_in_order(platform: Platform) -> None:
    def handler(ctx: JobContext, _: dict[str, Any]) -> None:
        for word in ("one", "two"):
            ctx.emit("token", {"text": word})
        ctx.step("next", lambda: None)
        ctx.emit("token", {"text": "three"})

    with trial(platform, handler) as run:
        job_id = run.submit()
        run.attempt(job_id)
    stream: Any = platform.live_client.redis.xrange(keys.job_events(job_id))
    tokens = [fields[b"data"] for _, fields in stream if fields[b"type"] == b"token"]
    assert tokens == [b'{"text":"one"}', b'{"text":"two"}', b'{"text":"three"}']
    assert stream[-1][1][b"type"] == b"end"


def _claim(failures: int) -> Claim:
    operation = Operation(
        name="trial.run",
        summary="",
        payload=AnyPayload,
        queue="short",
        permission="jobs:submit",
        time_limit_s=1,
        retry=RetryPolicy(max_attempts=99, base_s=2.0, max_s=600.0),
    )
    claim = Claim(
        uuid4(), 1, uuid4(), operation, 1, "short", None, {}, 0, 99, 1, None, None, None, ""
    )
    return replace(claim, failures=failures)
