"""Handlers of the diagnostics operations."""

import os
import signal
import time
from functools import partial
from typing import Any

from stellwerk.diagnostics.kinds import CrashAt, ErrorKind, Then
from stellwerk.diagnostics.recorder import Recorder, recorder
from stellwerk.errors import JobFailed, ProviderRejected, ProviderUnavailable
from stellwerk.jobs.children import ChildJob
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.effects import Effect, Probed, Repeat
from stellwerk.jobs.states import JobStatus
from stellwerk_workers.handlers import handles, undoes

TICK_S = 0.2
HANG_S = 3600.0  # far beyond every limit
OUTAGE_S = 600.0


@handles("diagnostics.echo")
def echo(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
    """Answer with the payload, at once or a moment later."""
    wait_ms = payload.get("wait_ms", 0)  # jobs accepted before there was such a field
    if wait_ms:
        ctx.sleep(wait_ms / 1000)
    return {"message": payload["message"], "data": payload["data"], "worker": ctx.worker}


@handles("diagnostics.sleep")
def sleep(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
    """Sleep in equal, checkpointed parts."""
    steps, seconds = payload["steps"], payload["seconds"]
    slept = [
        ctx.step("sleep", partial(_nap, ctx, part, steps, seconds), key=str(part + 1))
        for part in range(steps)
    ]
    return {"slept_s": round(sum(slept), 3), "steps": steps}


@handles("diagnostics.fail")
def fail(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
    """Fail as asked, until the asked attempt."""
    if ctx.attempt == payload["succeed_on_attempt"]:
        return {"attempt": ctx.attempt}
    kind, message = payload["kind"], payload["message"]
    if kind is ErrorKind.HANG:
        time.sleep(HANG_S)
    if kind is ErrorKind.CRASH:
        _crash()
    raise {
        ErrorKind.RETRYABLE: ProviderUnavailable(message),
        ErrorKind.REJECTED: ProviderRejected(message),
        ErrorKind.FINAL: JobFailed(message),
    }.get(kind, RuntimeError(message))


@handles("diagnostics.fan_out")
def fan_out(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
    """Make the children, and count how they ended."""
    sound = payload["children"] - payload["failing"]
    echoes = [ChildJob("diagnostics.echo", {"wait_ms": payload["wait_ms"]}) for _ in range(sound)]
    fails = [ChildJob("diagnostics.fail", {"kind": "final"}) for _ in range(payload["failing"])]
    ctx.submit_children([*echoes, *fails])
    ends = ctx.wait_children(failure=payload["failure"])
    completed = sum(end.status is JobStatus.COMPLETED for end in ends)
    return {"completed": completed, "failed": len(ends) - completed}


@handles("diagnostics.wait")
def wait(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
    """Wait for one signal after another."""
    signal, timeout_s = payload["signal"], payload["timeout_s"]
    return {"data": [ctx.wait_for(signal, timeout_s=timeout_s) for _ in range(payload["times"])]}


@handles("diagnostics.undo")
def undo(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
    """Take the steps, then end as asked."""
    keys = [ctx.step(step, partial(_take, ctx, step)) for step in ("first", "second")]
    match payload["then"]:
        case Then.FAIL:
            raise JobFailed("It failed because it was asked to.")
        case Then.RETRY:
            raise ProviderUnavailable("It is away for a while.", retry_after_s=OUTAGE_S)
        case Then.WAIT:
            ctx.wait_for("keep")
        case Then.WORK:
            ctx.sleep(HANG_S)
        case Then.HANG:
            time.sleep(HANG_S)
        case Then.CRASH:
            _crash()
    return {"keys": keys}


@undoes("diagnostics.undo", "first")
def undo_first(ctx: JobContext, key: str | None) -> None:
    """Roll the first step back, which comes last."""
    tries = recorder(ctx.runtime.settings).record(f"{ctx.job_id}-tries", "undo", once=False)
    if ctx.payload["crash"] and tries == 1:
        _crash()
    _untake(ctx, key)


@undoes("diagnostics.undo", "second")
def undo_second(ctx: JobContext, key: str | None) -> None:
    """Roll the second step back."""
    _untake(ctx, key)


@handles("diagnostics.effect")
def effect(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
    """Do the asked effects one after another."""
    world = recorder(ctx.runtime.settings)
    made = [_effect(ctx, payload, world, str(part + 1)) for part in range(payload["count"])]
    for one in made:
        ctx.effect(one)
    return {"keys": [one.idempotency_key(ctx.job_id) for one in made]}


def _take(ctx: JobContext, step: str) -> str:
    key = f"{ctx.job_id}-{step}"
    recorder(ctx.runtime.settings).record(key, f"attempt {ctx.attempt}", once=True)
    return key


def _untake(ctx: JobContext, key: str | None) -> None:
    """A step that only began (key None) is taken at most in the recorder, which forgets nothing."""
    if key:
        world = recorder(ctx.runtime.settings)
        world.record(f"{key}-undone", f"attempt {ctx.attempt}", once=False)


def _effect(ctx: JobContext, payload: dict[str, Any], world: Recorder, key: str) -> Effect:
    kind, call_s = payload["kind"], payload["call_s"]

    def call(idempotency_key: str) -> dict[str, Any]:
        _crash_if(ctx, payload, CrashAt.BEFORE_CALL)
        time.sleep(call_s)
        line = f"attempt {ctx.attempt} by {ctx.worker}"
        times = world.record(idempotency_key, line, once=kind is Repeat.IDEMPOTENT)
        _crash_if(ctx, payload, CrashAt.AFTER_CALL)
        return {"times": times}

    def probe(idempotency_key: str) -> tuple[Probed, Any]:
        if not payload["can_tell"]:
            return Probed.UNKNOWN, None
        times = world.times(idempotency_key)
        return (Probed.HAPPENED, {"times": times}) if times else (Probed.NOT_HAPPENED, None)

    return Effect("record", call, kind, call_timeout_s=call_s + 1, key=key, probe=probe)


def _crash_if(ctx: JobContext, payload: dict[str, Any], where: CrashAt) -> None:
    if ctx.attempt == 1 and payload["crash"] is where:
        _crash()


def _crash() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _nap(ctx: JobContext, part: int, steps: int, seconds: float) -> float:
    length_s = seconds / steps
    left_s = length_s
    while left_s > 0:
        ctx.sleep(min(TICK_S, left_s))
        left_s -= TICK_S
        done = (part + 1 - max(left_s, 0) / length_s) / steps
        ctx.progress(done, f"slept {done * seconds:.1f} of {seconds:g} s")
    return length_s
