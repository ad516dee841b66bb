"""Waits for its turn: one operation on a module at a time."""

from typing import Any

from stellwerk.errors import Conflict
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.interruptions import HandedOver
from stellwerk.modules.claims import take

AGAIN_AFTER_S = 2.0


def take_turn(ctx: JobContext, payload: dict[str, Any]) -> None:
    """An operation that was due at once has its turn since it was accepted; one for later has not.

    Raises HandedOver while another operation is at work on the module.
    """
    try:
        with ctx.transaction() as session:
            take(session, ctx.job_id, payload["module_name"])
    except Conflict as exc:
        raise HandedOver(exc.message, delay_s=AGAIN_AFTER_S) from exc
