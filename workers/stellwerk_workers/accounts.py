"""The handler that writes to people about their accounts.

An attempt that dies after its transaction is repeated: a second mail, whose link is good too, does
no harm; one that never comes does.
"""

from typing import Any

from stellwerk.identity.notices import NOTIFY, hand_on
from stellwerk.jobs.context import JobContext
from stellwerk_workers.handlers import handles


@handles(NOTIFY)
def notify(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
    """Find out what there is to say, and hand it on to the mail."""
    with ctx.fenced() as work:
        template = hand_on(ctx.runtime, work, payload)
    return {"template": template}
