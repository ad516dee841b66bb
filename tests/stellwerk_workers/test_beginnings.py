"""What watchers are shown of an attempt that runs: nothing, where it ends at once."""

from dataclasses import replace
from threading import Semaphore
from typing import Any
from uuid import UUID

import orjson

from embedded import wait_until
from stellwerk.bootstrap import Platform
from stellwerk.jobs.context import JobContext
from stellwerk.live import keys
from stellwerk_workers.beginnings import Beginnings
from trial import trial


def shown(platform: Platform, job_id: UUID) -> list[tuple[str, str | None]]:
    """The events of a job: type, and the status that it tells of."""
    found: Any = platform.live_client.redis.xrange(keys.job_events(job_id))
    events = [(fields[b"type"].decode(), orjson.loads(fields[b"data"])) for _, fields in found]
    return [(kind, data.get("status")) for kind, data in events]


def test_of_a_job_that_ends_at_once_only_its_end_is_shown(platform: Platform) -> None:
    with trial(platform, lambda ctx, payload: None) as run:  # noqa: ARG005  a handler
        run.runner = replace(run.runner, beginnings=Beginnings(after_s=60))
        job_id = run.submit()
        run.attempt(job_id)

        assert shown(platform, job_id) == [("status", "queued"), ("end", "completed")]


def test_a_job_that_runs_for_a_moment_is_shown_to_run(platform: Platform) -> None:
    def handler(ctx: JobContext, _: dict[str, Any]) -> None:
        wait_until(lambda: ("status", "running") in shown(platform, ctx.job_id))

    with trial(platform, handler) as run:
        job_id = run.submit()
        run.attempt(job_id)

        told = [("status", "queued"), ("status", "running"), ("end", "completed")]
        assert shown(platform, job_id) == told


def test_what_a_job_emits_comes_after_its_beginning(platform: Platform) -> None:
    def handler(ctx: JobContext, _: dict[str, Any]) -> None:
        ctx.emit("token", {"text": "a"})
        ctx.emit("token", {"text": "b"})

    with trial(platform, handler) as run:
        job_id = run.submit()
        run.attempt(job_id)

        kinds = [kind for kind, _ in shown(platform, job_id)]
        assert kinds == ["status", "status", "token", "token", "end"]


def test_an_attempt_that_follows_many_short_ones_is_shown_like_one_alone() -> None:
    beginnings, shown = Beginnings(after_s=0.01), Semaphore(0)
    for _ in range(3):
        for _ in range(100):
            with beginnings.shown_soon(lambda: None):
                pass
        with beginnings.shown_soon(shown.release):
            assert shown.acquire(timeout=10)
