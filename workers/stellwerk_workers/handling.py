"""What happens between an attempt's claim and its outcome: payload in, handler, result out."""

from typing import Any

from marshmallow import ValidationError

from stellwerk.errors import ErrorCode, JobFailed
from stellwerk.jobs.claims import Claim
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.lifecycle import Outcome
from stellwerk.jobs.states import JobStatus
from stellwerk.jobs.submission import cached
from stellwerk_workers.handlers import handler_of
from stellwerk_workers.undo import roll_back


def carry_out(ctx: JobContext) -> Outcome:
    """Call the handler, or roll back; returns how the job ends, raises what the handler raises."""
    claimed = ctx.claimed
    if claimed.attempt > 1:
        ctx.load_checkpoints()
    if claimed.ending:
        return roll_back(ctx)
    payload = claimed.operation.upcast(ctx.payload, claimed.operation_version)
    result = handler_of(claimed.operation.name)(ctx, _loaded(claimed, payload))
    if claimed.operation.result and result is not None:
        result = cached(claimed.operation.result).dump(result)
    return ctx.completed(result)


def _loaded(claimed: Claim, payload: dict[str, Any]) -> dict[str, Any]:
    try:
        loaded: dict[str, Any] = cached(claimed.operation.payload).load(payload)
    except ValidationError as exc:
        message = f"The stored payload is no longer valid: {exc.messages}"
        raise JobFailed(message, code=ErrorCode.VALIDATION_FAILED) from exc
    return loaded


def leaves_only_its_outcome(ctx: JobContext, outcome: Outcome) -> bool:
    """Whether nothing else is written when it ends: no costs, no artifacts, no undo, no hook."""
    operation = ctx.claimed.operation
    may_roll_back = outcome.status is not JobStatus.COMPLETED and operation.undoable_steps()
    return ctx.staged.is_empty and not (operation.on_end or may_roll_back)
