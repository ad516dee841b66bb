"""Rolls a job back before it ends: undoes its steps in reverse, from what they stored."""

from stellwerk.jobs.awaited import Awaited
from stellwerk.jobs.checkpoints import Checkpoint, undone
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.interruptions import Suspended
from stellwerk.jobs.lifecycle import Outcome
from stellwerk.jobs.states import JobStatus
from stellwerk_workers.handlers import undo_of


def roll_back(ctx: JobContext) -> Outcome:
    """Undo every step that was done or begun, last first; returns the outcome that was due.

    An undo that fails is retried by the operation's own policy, like any attempt. Children that the
    end took along are waited for first: what they work on must not go away under them.
    """
    _await_children(ctx)
    undoable = ctx.claimed.operation.undoable_steps()
    for checkpoint in reversed(ctx.checkpoints()):
        if checkpoint.step in undoable and checkpoint.is_begun:
            _undo(ctx, checkpoint)
    ending = ctx.claimed.ending or {}
    return Outcome(JobStatus(ending["status"]), error=ending["error"])


def _await_children(ctx: JobContext) -> None:
    everyone = Awaited(None, fails_fast=False)
    with ctx.runtime.sessions() as session:
        if not everyone.is_over(session, ctx.job_id):
            raise Suspended("children", None, everyone)


def _undo(ctx: JobContext, checkpoint: Checkpoint) -> None:
    """What the undo itself does outside belongs to the step: after a retry it is done anew."""
    with ctx.within(checkpoint.place):
        undo_of(ctx.claimed.operation.name, checkpoint.step)(ctx, checkpoint.output)
    ctx.record(*undone(ctx, checkpoint))
    ctx.log(f"undone: {checkpoint.step}")
