"""The handler that delivers a webhook.

A try whose worker dies before its outcome is stored is made again, under the same `webhook-id`:
delivery is at least once, and receivers tell repetitions by the id.
"""

import time
from typing import Any

from stellwerk.clock import utc_now
from stellwerk.errors import ProviderError
from stellwerk.jobs.context import JobContext
from stellwerk.webhooks import parcels
from stellwerk.webhooks.deliveries import DELIVER
from stellwerk.webhooks.parcels import Parcel, Try
from stellwerk_workers.handlers import handles


@handles(DELIVER)
def deliver(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
    """Send it once; another attempt of the job is another try."""
    with ctx.runtime.sessions() as session:
        parcel = parcels.packed(session, ctx.runtime.vault, payload["delivery_id"])
    tried = _sent(ctx, parcel)
    with ctx.transaction() as session:
        parcels.record(session, parcel, tried)
    if tried.error:
        raise tried.error
    return {"status_code": tried.status_code, "duration_ms": tried.duration_ms}


def _sent(ctx: JobContext, parcel: Parcel) -> Try:
    outbound, timeout_s = ctx.runtime.providers.outbound, ctx.runtime.settings.webhook_timeout_s
    started = time.monotonic()
    try:
        answer = outbound.post(
            parcel.url, parcel.body, parcel.headers(utc_now()), timeout_s=timeout_s
        )
    except ProviderError as exc:
        return Try(None, round(1000 * (time.monotonic() - started)), exc)
    return parcels.judged(answer)
