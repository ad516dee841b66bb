"""The operation that sends a mail."""

from stellwerk.configuration.rates import RateClass
from stellwerk.jobs.operation import Operation, RetryPolicy
from stellwerk.mail.schemas import SendPayload, SendResult

MINUTE_S, HOUR_S = 60, 3600
# Servers that see a sender for the first time often ask for a second try some minutes later.
DELAYS_S = (10, MINUTE_S, 5 * MINUTE_S, 15 * MINUTE_S, HOUR_S, 3 * HOUR_S, 8 * HOUR_S)

SEND = Operation(
    name="email.send",
    summary="Send a mail",
    payload=SendPayload,
    result=SendResult,
    queue="short",
    permission="mail:send",
    time_limit_s=120,
    rate_class=RateClass.MAIL,
    retry=RetryPolicy.after(*DELAYS_S),
    max_share=0.5,  # a mail server that hangs leaves half of the slots to everything else
    is_sensitive=True,  # links in it open accounts
    requires_idempotency_key=True,
)

OPERATIONS = (SEND,)
