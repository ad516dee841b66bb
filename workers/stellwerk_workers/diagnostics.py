"""Handlers of the diagnostics operations."""

import os
import signal
from functools import partial
from typing import Any

from stellwerk.diagnostics.kinds import ErrorKind
from stellwerk.errors import JobFailed, ProviderRejected, ProviderUnavailable
from stellwerk.jobs.context import JobContext
from stellwerk_workers.handlers import handles

TICK_S = 0.2


@handles("diagnostics.echo")
def echo(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
    """Answer with the payload."""
    return {**payload, "worker": ctx.worker}


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
    if kind is ErrorKind.CRASH:
        os.kill(os.getpid(), signal.SIGKILL)
    raise {
        ErrorKind.RETRYABLE: ProviderUnavailable(message),
        ErrorKind.REJECTED: ProviderRejected(message),
        ErrorKind.FINAL: JobFailed(message),
    }.get(kind, RuntimeError(message))


def _nap(ctx: JobContext, part: int, steps: int, seconds: float) -> float:
    length_s = seconds / steps
    left_s = length_s
    while left_s > 0:
        ctx.sleep(min(TICK_S, left_s))
        left_s -= TICK_S
        done = (part + 1 - max(left_s, 0) / length_s) / steps
        ctx.progress(done, f"slept {done * seconds:.1f} of {seconds:g} s")
    return length_s
