"""The operations about privacy. They are made by the requests of `service`, and only so."""

from stellwerk.jobs.operation import Operation, Payload, RetryPolicy, Scope, Step
from stellwerk.privacy import service
from stellwerk.privacy.schemas import EraseResult, ExportResult, RequestPayload


def _request(payload: Payload) -> str:
    return str(payload["request_id"])


EXPORT = Operation(
    name=service.EXPORT,
    summary="Put everything that is held of a person into one file",
    payload=RequestPayload,
    result=ExportResult,
    queue="long",
    permission="privacy:manage",
    time_limit_s=3600,
    steps=(Step("write"),),
    unique_key=_request,
    is_sensitive=True,
    on_accept=service.accept_export,
    on_end=service.end_request,
    on_requeue=service.requeue_request,
)

ERASE = Operation(
    name=service.ERASE,
    summary="Erase an account and everything that is held of its person",
    payload=RequestPayload,
    result=EraseResult,
    queue="long",
    permission="privacy:erase",
    time_limit_s=6 * 3600,
    scope=Scope.OPERATOR,
    steps=(
        Step("disable"),
        Step("cancel", 3),
        Step("revoke"),
        Step("erase", 10),
        Step("traces", 5),
        Step("account"),
        Step("letter"),
        Step("receipt"),
    ),
    retry=RetryPolicy(max_attempts=25, base_s=5, max_s=3600),  # days: it is owed
    unique_key=_request,
    is_sensitive=True,
    on_accept=service.accept_erasure,
    on_end=service.end_request,
    on_requeue=service.requeue_request,
)

OPERATIONS = (EXPORT, ERASE)
