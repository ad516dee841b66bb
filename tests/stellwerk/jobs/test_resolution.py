from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from people import add_user
from stellwerk.audit.queries import EntryFilter, entries
from stellwerk.bootstrap import Platform
from stellwerk.errors import Conflict, ErrorCode, InvalidInput
from stellwerk.jobs import control
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.effects import Effect, Repeat
from stellwerk.jobs.model import Job, JobStep, StepState
from stellwerk.jobs.resolution import Resolution, resolve
from stellwerk_workers.reports import Came
from trial import Trial, trial


def dial_twice(ctx: JobContext, _: dict[str, Any]) -> dict[str, Any]:
    def dial(key: str) -> Any:
        return ctx.effect(Effect("dial", lambda _: key, Repeat.BLIND, call_timeout_s=1, key=key))

    return {"dialled": [dial("first"), dial("second")]}


def uncertain_job(run: Trial) -> UUID:
    """One whose worker vanished during its first call, long ago."""
    job_id = run.submit()
    with run.runtime.sessions.begin() as session:
        session.add(_vanished(job_id, "first"))
        session.execute(update(Job).values(attempt=1))
    assert run.attempt(job_id).came is Came.FAILED
    assert run.document(job_id)["error"]["code"] == "EFFECT_UNCERTAIN"
    return job_id


@pytest.mark.parametrize(
    ("happened", "first"), [(True, "answered"), (False, "first")], ids=["happened", "not happened"]
)
def test_a_resolved_job_goes_on_and_does_again_only_what_did_not_happen(
    platform: Platform, *, happened: bool, first: str
) -> None:
    with trial(platform, dial_twice) as run:
        job_id = uncertain_job(run)
        found = Resolution(
            "dial", happened=happened, output="answered", note="asked", resolver_id=7
        )

        resolve(run.runtime, job_id, found)

        assert run.document(job_id)["status"] == "queued"
        assert run.attempt(job_id).came is Came.COMPLETED
    assert run.document(job_id)["result"] == {"dialled": [first, "second"]}


def test_who_resolved_what_and_when_stands_in_the_jobs_log(platform: Platform) -> None:
    with trial(platform, dial_twice) as run:
        job_id = uncertain_job(run)
        resolve(run.runtime, job_id, Resolution("dial", happened=True, note="asked", resolver_id=7))
        line = run.logs(job_id)[-1]
    assert line.message == "user 7 found out that 'dial' happened: asked"
    assert line.fields == {
        "effect": "dial",
        "key": "first",
        "happened": True,
        "resolved_by": 7,
        "note": "asked",
    }


def test_who_resolved_what_is_on_record(platform: Platform) -> None:
    operator = add_user(platform)
    with trial(platform, dial_twice) as run:
        job_id = uncertain_job(run)
        found = Resolution("dial", happened=True, note="asked", resolver_id=operator)
        resolve(run.runtime, job_id, found)
    with platform.runtime.sessions() as session:
        wanted = EntryFilter(target=f"job:{job_id}")
        (entry,) = entries(session, platform.runtime.vault, wanted)
    assert (entry["action"], entry["actor_user_id"]) == ("effect.resolved", operator)
    assert entry["details"] == {
        "effect": "dial",
        "key": "first",
        "happened": True,
        "note": "asked",
    }


def test_a_retry_by_hand_settles_nothing(platform: Platform) -> None:
    with trial(platform, dial_twice) as run:
        job_id = uncertain_job(run)
        control.retry(run.runtime, job_id)
        assert run.attempt(job_id).came is Came.FAILED
    assert run.document(job_id)["error"]["code"] == "EFFECT_UNCERTAIN"


def test_only_an_uncertain_job_can_be_resolved(platform: Platform) -> None:
    with trial(platform, dial_twice) as run:
        queued = run.submit()
        with pytest.raises(Conflict, match="this one is queued") as refused:
            resolve(run.runtime, queued, Resolution("dial", happened=True))
        with run.runtime.sessions.begin() as session:
            session.execute(update(Job).values(max_attempts=1, payload={"wrong": 1}))
        assert run.attempt(queued).came is Came.FAILED
        with pytest.raises(Conflict, match="retry it instead"):
            resolve(run.runtime, queued, Resolution("dial", happened=True))
    assert refused.value.code is ErrorCode.JOB_NOT_UNCERTAIN


def test_the_effect_has_to_be_named_unmistakably(platform: Platform) -> None:
    with trial(platform, dial_twice) as run:
        job_id = uncertain_job(run)
        with pytest.raises(InvalidInput) as unknown:
            resolve(run.runtime, job_id, Resolution("mail", happened=True))
        with run.runtime.sessions.begin() as session:
            session.add(_vanished(job_id, "second"))
        with pytest.raises(InvalidInput) as ambiguous:
            resolve(run.runtime, job_id, Resolution("dial", happened=True))
        resolve(run.runtime, job_id, Resolution("dial", happened=True, key="second"))
    assert [unknown.value.errors[0].field, ambiguous.value.errors[0].field] == ["effect", "key"]
    assert "'dial' with key 'first'" in unknown.value.errors[0].reason


def _vanished(job_id: UUID, key: str) -> JobStep:
    return JobStep(
        job_id=job_id,
        step="dial",
        key=key,
        kind="effect",
        repeatable="blind",
        state=StepState.INTENT.value,
        attempt=1,
        call_timeout_s=1,
        started_at=datetime(2020, 1, 1, tzinfo=UTC),
    )
