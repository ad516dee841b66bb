"""Whoever asked is told of a job's end, in the transaction that ends it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from people import add_user
from stellwerk.bootstrap import Platform, registry
from stellwerk.errors import ConfigurationError, JobFailed
from stellwerk.jobs import control, dispatch
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.model import Job, JobWatcher, OwedEnd
from stellwerk.jobs.operation import RetryPolicy
from stellwerk.jobs.runtime import Runtime, Unit
from trial import Trial, trial

_ABANDON = text("""
    UPDATE jobs SET lease_until = now() - interval '1 minute', crashes = 2, queue = 'long'
    WHERE id = :id
""")


@contextmanager
def heard(
    platform: Platform, handler: Callable[[JobContext, dict[str, Any]], Any] = lambda *_: None
) -> Iterator[tuple[Trial, list[tuple[UUID, str]]]]:
    """A trial, and the ends its listener is told of."""
    told: list[tuple[UUID, str]] = []

    def listen(runtime: Runtime, work: Unit, job: Job) -> None:
        del runtime
        assert work.session.in_transaction()
        told.append((job.id, job.status))

    listening = replace(platform, runtime=replace(platform.runtime, ended=(listen,)))
    with trial(listening, handler) as made:
        yield made, told


def watched(platform: Platform) -> int:
    user_id = add_user(platform)
    with platform.runtime.sessions.begin() as session:
        session.add(JobWatcher(user_id=user_id))
    return user_id


def failing(ctx: JobContext, payload: dict[str, Any]) -> None:
    del ctx, payload
    raise JobFailed("It fails.")


def test_the_end_of_a_watched_users_job_is_told_once(platform: Platform) -> None:
    with heard(platform) as (made, told):
        job_id = made.submit(owner_id=watched(platform))
        made.attempt(job_id)
    assert told == [(job_id, "completed")]


def test_a_failure_a_cancel_and_a_poisoned_job_are_told(platform: Platform) -> None:
    with heard(platform, failing) as (made, told):
        user_id = watched(platform)
        failed, cancelled, poisoned = (made.submit(owner_id=user_id) for _ in range(3))
        made.attempt(failed)
        control.cancel(made.runtime, cancelled)
        made.claim(poisoned)
        with made.runtime.sessions.begin() as session:
            session.execute(_ABANDON, {"id": poisoned})
        dispatch.rescue_expired(made.runtime)
    assert told == [(failed, "failed"), (cancelled, "cancelled"), (poisoned, "failed")]


def test_a_job_with_a_callback_is_told_though_nobody_watches_its_owner(platform: Platform) -> None:
    with heard(platform) as (made, told):
        silent = made.submit(owner_id=add_user(platform))
        called = made.submit(owner_id=add_user(platform), callback_url="https://example.com")
        made.attempt(silent)
        made.attempt(called)
    assert told == [(called, "completed")]


def test_a_retry_is_no_end(platform: Platform) -> None:
    def stumbling(ctx: JobContext, payload: dict[str, Any]) -> None:
        del payload
        if ctx.attempt == 1:
            raise RuntimeError

    with heard(platform, stumbling) as (made, told):
        job_id = made.submit(owner_id=watched(platform))
        made.attempt(job_id)
        assert told == []
        made.attempt(job_id)
    assert told == [(job_id, "completed")]


def test_what_a_listener_writes_before_it_raises_is_undone_and_the_end_stands(
    platform: Platform,
) -> None:
    def refusing(runtime: Runtime, work: Unit, job: Job) -> None:
        del runtime
        work.session.delete(work.session.get_one(JobWatcher, job.owner_id))
        work.session.flush()
        raise JobFailed("not now")

    listening = replace(platform, runtime=replace(platform.runtime, ended=(refusing,)))
    with trial(listening, failing) as made:
        user_id = watched(platform)
        job_id = made.submit(owner_id=user_id)
        control.cancel(made.runtime, job_id)
        assert made.row(job_id).status == "cancelled"
        with made.runtime.sessions() as session:
            assert session.get(JobWatcher, user_id)
            assert session.get(OwedEnd, (job_id, "listeners")), "told again later"


def test_planned_delays_are_kept_to_a_tenth() -> None:
    policy = RetryPolicy.after(5, 300)
    assert policy.max_attempts == 3
    assert all(4.5 <= policy.delay_s(0) <= 5.5 for _ in range(50))
    assert all(270 <= policy.delay_s(1) <= 330 for _ in range(50))


def test_a_setting_replaces_an_operations_delays() -> None:
    changed = registry({"diagnostics.fail": [1, 2]})
    assert changed.get("diagnostics.fail").retry == RetryPolicy.after(1, 2)
    with pytest.raises(ConfigurationError, match=r"signals\.pull"):
        registry({"signals.pull": [1]})
