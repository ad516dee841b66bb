"""The operation that calls somebody."""

from stellwerk.calls.limits import most_it_costs
from stellwerk.calls.schemas import OriginatePayload, OriginateResult
from stellwerk.calls.service import RECORDING, accept_call, end_call, requeue_call
from stellwerk.configuration.rates import RateClass
from stellwerk.jobs.operation import Operation

ORIGINATE = Operation(
    name="calls.originate",
    summary="Call a number, or connect two",
    payload=OriginatePayload,
    result=OriginateResult,
    queue="short",
    permission="calls:originate",
    time_limit_s=120,
    estimate_eur=most_it_costs,
    rate_class=RateClass.CALLS,
    is_sensitive=True,
    files_permission=RECORDING,
    requires_idempotency_key=True,
    on_accept=accept_call,
    on_end=end_call,
    on_requeue=requeue_call,
)

OPERATIONS = (ORIGINATE,)
