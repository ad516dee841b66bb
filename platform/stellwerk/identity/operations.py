"""The operation that writes to people about their accounts."""

from stellwerk.identity.notices import NOTIFY, NotifyPayload, NotifyResult
from stellwerk.jobs.operation import Operation, Scope

NOTICE = Operation(
    name=NOTIFY,
    summary="Write to somebody about their account",
    payload=NotifyPayload,
    result=NotifyResult,
    queue="short",
    permission="users:admin",
    time_limit_s=30,
    scope=Scope.OPERATOR,
    is_sensitive=True,
    is_internal=True,
)

OPERATIONS = (NOTICE,)
