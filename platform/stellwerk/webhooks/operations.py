"""The operation that delivers a webhook."""

from stellwerk.jobs.operation import Operation, RetryPolicy, Scope
from stellwerk.webhooks.deliveries import DELIVER, resume, settle
from stellwerk.webhooks.schemas import DeliverPayload, DeliverResult

# Standard Webhooks' schedule: each after the try before it failed.
MINUTE_S, HOUR_S = 60, 3600
DELAYS_S = (
    5,
    5 * MINUTE_S,
    30 * MINUTE_S,
    2 * HOUR_S,
    5 * HOUR_S,
    10 * HOUR_S,
    24 * HOUR_S,
)

DELIVERY = Operation(
    name=DELIVER,
    summary="Send a webhook to its receiver",
    payload=DeliverPayload,
    result=DeliverResult,
    queue="short",
    permission="webhooks:deliver",
    time_limit_s=60,
    scope=Scope.OPERATOR,
    retry=RetryPolicy.after(*DELAYS_S),
    max_share=0.5,  # receivers that hang leave half of the slots to everything else
    max_running_per_owner=2,  # and one user's leave half of the rest to other users'
    is_internal=True,
    on_end=settle,
    on_requeue=resume,
)

OPERATIONS = (DELIVERY,)
