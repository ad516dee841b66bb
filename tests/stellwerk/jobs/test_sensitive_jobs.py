"""What a sensitive job holds is sealed in the ledger and masked wherever it is told."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
import structlog
from sqlalchemy import select

from dump import dumped, dumped_redis
from stellwerk.bootstrap import Platform
from stellwerk.errors import ErrorCode, JobFailed, ProviderUnavailable
from stellwerk.jobs import control, queries
from stellwerk.jobs.children import ChildJob
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.effects import Effect, Repeat
from stellwerk.jobs.model import Job, JobLog, JobStep
from stellwerk.jobs.resolution import Resolution, resolve
from stellwerk.jobs.sealing import HIDDEN, MASKED, is_sealed, unseal
from stellwerk.jobs.submission import Submission, submit
from stellwerk.vault import Vault
from stellwerk_workers.reports import Came, Report
from trial import NAME, Trial, trial

PLANTED = "planted-4711-secret"
OTHER_KEY = "another-key-0123456789-0123456789-0123456789"

Handler = Callable[[JobContext, dict[str, Any]], Any]


def telling(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
    """A handler that says what it knows wherever it can."""
    known = payload["value"]
    ctx.log(f"begun with {known}", told=known)
    ctx.step("look", lambda: {"found": known})
    ctx.effect(Effect("dial", lambda _: {"rang": known}, Repeat.BLIND, call_timeout_s=1))
    ctx._told_at = 0.0  # noqa: SLF001  else this progress is coalesced away
    ctx.progress(0.5, f"half of {known}")
    ctx.emit("token", {"text": known})
    heard = ctx.wait_for("answer")
    return {"value": known, "heard": heard}


def run_out(run: Trial, job_id: UUID) -> list[Report]:
    """Attempts until it waits or has ended."""
    reports = [run.attempt(job_id)]
    while run.row(job_id).status == "queued":
        reports.append(run.attempt(job_id))
    return reports


def everywhere(platform: Platform) -> bytes:
    return dumped(platform) + dumped_redis(platform)


def opened(run: Trial, job_id: UUID) -> dict[str, Any]:
    """What its owner is shown."""
    runtime = run.runtime
    with runtime.sessions() as session:
        return queries.unsealed(session, runtime.registry, runtime.vault, job_id)


def test_neither_a_dump_nor_redis_holds_what_a_sensitive_job_was_given_and_came_to(
    platform: Platform,
) -> None:
    seen: list[Any] = []

    def handler(ctx: JobContext, payload: dict[str, Any]) -> Any:
        seen.append(payload["value"])
        return telling(ctx, payload)

    with trial(platform, handler, is_sensitive=True) as run:
        job_id = run.submit(value=PLANTED)
        first = run_out(run, job_id)
        control.signal(run.runtime, job_id, "answer", data={"said": PLANTED})
        assert PLANTED.encode() not in everywhere(platform)
        last = run_out(run, job_id)
        assert PLANTED.encode() not in everywhere(platform)
        whole = opened(run, job_id)
        shown = run.document(job_id)

    assert set(seen) == {PLANTED}
    assert [report.came for report in first + last] == [Came.AGAIN, Came.COMPLETED]
    assert whole["result"] == {"value": PLANTED, "heard": {"said": PLANTED}}
    assert (shown["result"], shown["message"], shown["sensitive"]) == (MASKED, "", True)
    assert PLANTED not in json.dumps(shown)


def test_an_ordinary_job_is_stored_as_it_was(platform: Platform) -> None:
    with trial(platform, telling) as run:
        job_id = run.submit(value=PLANTED)
        run_out(run, job_id)
        control.signal(run.runtime, job_id, "answer")
        run_out(run, job_id)
        assert run.row(job_id).payload == {"value": PLANTED}
        assert run.document(job_id)["result"] == {"value": PLANTED, "heard": None}
        assert "sensitive" not in run.document(job_id)


def refusing(_: JobContext, payload: dict[str, Any]) -> None:
    raise JobFailed(f"{payload['value']} is refused", details={"number": payload["value"]})


def unreachable(_: JobContext, payload: dict[str, Any]) -> None:
    raise ProviderUnavailable(f"{payload['value']} does not answer")


def broken(_: JobContext, payload: dict[str, Any]) -> None:
    raise LookupError(payload["value"])


@pytest.mark.parametrize("handler", [refusing, unreachable, broken])
def test_an_error_tells_its_owner_alone_what_it_is_about(
    platform: Platform, handler: Handler
) -> None:
    with (
        structlog.testing.capture_logs() as lines,
        trial(platform, handler, is_sensitive=True) as run,
    ):
        job_id = run.submit(value=PLANTED)
        reports = run_out(run, job_id)
        shown, whole = run.document(job_id), opened(run, job_id)

    assert PLANTED.encode() not in everywhere(platform)
    assert PLANTED not in repr(reports) + repr(lines)
    assert shown["error"]["message"] == shown["message"] == HIDDEN
    assert shown["error"]["details"] == MASKED
    assert whole["error"]["code"] == shown["error"]["code"]
    if handler is refusing:
        assert whole["error"]["message"] == f"{PLANTED} is refused"
        assert whole["error"]["details"] == {"number": PLANTED}


def test_a_failed_rollback_adds_to_an_error_that_stays_sealed(platform: Platform) -> None:
    def handler(ctx: JobContext, payload: dict[str, Any]) -> None:
        ctx.step("dial", lambda: payload["value"])
        refusing(ctx, payload)

    def undo(_: JobContext, output: Any) -> None:
        raise JobFailed(f"{output} cannot be undone")

    with trial(platform, handler, undo={"dial": undo}, is_sensitive=True) as run:
        job_id = run.submit(value=PLANTED)
        run_out(run, job_id)
        shown, whole = run.document(job_id), opened(run, job_id)

    assert PLANTED.encode() not in everywhere(platform)
    assert shown["error"]["code"] == ErrorCode.UNDO_FAILED
    assert shown["error"]["details"]["cause"] == ErrorCode.JOB_FAILED
    assert whole["error"]["details"]["number"] == PLANTED


def test_a_parent_reads_what_its_sensitive_children_came_to(platform: Platform) -> None:
    def handler(ctx: JobContext, payload: dict[str, Any]) -> Any:
        if payload["value"] != "parent":
            return {"said": payload["value"]}
        ctx.submit_child(NAME, {"value": PLANTED}, key="one")
        (end,) = ctx.wait_children()
        return {"child": end.result}

    with trial(platform, handler, is_sensitive=True) as run:
        job_id = run.submit(value="parent")
        run_out(run, job_id)
        with run.runtime.sessions() as session:
            child_id = session.scalars(select(Job.id).where(Job.parent_id == job_id)).one()
        run_out(run, child_id)
        run_out(run, job_id)
        whole = opened(run, job_id)

    assert PLANTED.encode() not in everywhere(platform)
    assert whole["result"] == {"child": {"said": PLANTED}}


def test_an_ordinary_parent_keeps_a_sensitive_childs_result_sealed(platform: Platform) -> None:
    heard: list[Any] = []

    def handler(ctx: JobContext, payload: dict[str, Any]) -> Any:
        if payload["value"] != "parent":
            return {"said": PLANTED}
        ctx.submit_children([ChildJob(NAME, {"value": "child"}, "one")])
        (end,) = ctx.wait_children()
        heard.append(end.result)
        if len(heard) == 1:
            raise ProviderUnavailable("once more")
        return None

    with trial(platform, handler) as run:
        job_id = run.submit(value="parent")
        run_out(run, job_id)
        secret = replace(run.runtime.registry.get(NAME), is_sensitive=True)
        with run.runtime.sessions.begin() as session:
            child = session.scalars(select(Job).where(Job.parent_id == job_id)).one()
            child.is_sensitive = secret.is_sensitive
            child_id = child.id
        run_out(run, child_id)
        run_out(run, job_id)

    assert heard == [{"said": PLANTED}] * 2
    assert PLANTED.encode() not in everywhere(platform)


def test_an_effect_that_somebody_resolved_is_sealed_with_what_they_wrote(
    platform: Platform,
) -> None:
    def handler(ctx: JobContext, _: dict[str, Any]) -> None:
        ctx.step("never", lambda: None)
        raise JobFailed("of whom", code=ErrorCode.EFFECT_UNCERTAIN, details={"effect": "dial"})

    with trial(platform, handler, is_sensitive=True) as run:
        job_id = run.submit()
        run_out(run, job_id)
        with run.runtime.sessions.begin() as session:
            open_effect = {"step": "dial", "kind": "effect", "state": "intent", "attempt": 1}
            session.add(JobStep(job_id=job_id, **open_effect))
        found = Resolution("dial", happened=True, output={"to": PLANTED}, note=f"by {PLANTED}")
        resolve(run.runtime, job_id, found)

    assert PLANTED.encode() not in dumped(platform)


def test_what_is_sealed_for_one_job_opens_for_no_other(platform: Platform) -> None:
    with trial(platform, telling, is_sensitive=True) as run:
        one, other = run.submit(value=PLANTED), run.submit()
        stored = run.row(one).payload
        assert is_sealed(stored)
        assert unseal(run.runtime.vault, one, stored) == {"value": PLANTED}
        with pytest.raises(Exception, match="another place"):
            unseal(run.runtime.vault, other, stored)


def test_both_keys_open_while_a_new_one_comes_first(platform: Platform) -> None:
    def handler(ctx: JobContext, payload: dict[str, Any]) -> Any:
        ctx.step("look", lambda: payload["value"])
        ctx.wait_for("answer")
        return {"found": ctx.recorded("look").output}  # type: ignore[union-attr]  # it is there

    with trial(platform, handler, is_sensitive=True) as run:
        job_id = run.submit(value=PLANTED)
        run_out(run, job_id)
        keys = [OTHER_KEY, *run.runtime.settings.encryption_keys()]
        run.runtime = replace(run.runtime, vault=Vault(keys))
        run.runner = replace(run.runner, runtime=run.runtime)
        control.signal(run.runtime, job_id, "answer")
        run_out(run, job_id)
        assert opened(run, job_id)["result"] == {"found": PLANTED}


def test_a_job_whose_key_is_gone_fails_and_says_so(platform: Platform) -> None:
    with trial(platform, telling, is_sensitive=True) as run:
        job_id = run.submit(value=PLANTED)
        run.runtime = replace(run.runtime, vault=Vault([OTHER_KEY]))
        run.runner = replace(run.runner, runtime=run.runtime)
        run_out(run, job_id)
        assert "ENCRYPTION_KEY lacks" in opened(run, job_id)["error"]["message"]


def test_a_key_that_an_operation_makes_of_a_sensitive_payload_is_stored_as_a_keyed_hash(
    platform: Platform,
) -> None:
    def key(payload: dict[str, Any]) -> str:
        return str(payload["value"])

    with trial(platform, telling, is_sensitive=True, unique_key=key) as run:
        job_id = run.submit(value=PLANTED)
        with pytest.raises(Exception, match="is not finished yet") as refused:
            submit(run.runtime, Submission(NAME, {"value": PLANTED}, owner_id=None))
        assert refused.value.details["job_id"] == str(job_id)  # type: ignore[attr-defined]  # Conflict
        assert PLANTED not in str(refused.value)
        assert len(run.row(job_id).operation_key or "") == 64
    assert PLANTED.encode() not in dumped(platform)


def test_the_engines_own_lines_stay_legible(platform: Platform) -> None:
    with trial(platform, refusing, is_sensitive=True) as run:
        job_id = run.submit(value=PLANTED)
        run_out(run, job_id)
        lines: list[JobLog] = list(run.logs(job_id))
    assert lines[-1].message == f"failed: {HIDDEN}"
