"""What a handler's error means for its job: another attempt, or the end."""

from typing import Any

from stellwerk.errors import ErrorCode, ProviderUnavailable, StellwerkError, Unavailable
from stellwerk.jobs import lifecycle
from stellwerk.jobs.claims import Claim

LONGEST_WAIT_S = 7 * 86_400.0  # whatever a provider asks for


def is_retryable(exc: StellwerkError) -> bool:
    """Whether another attempt may do better: outages and bugs may, refusals never."""
    if isinstance(exc, ProviderUnavailable | Unavailable):
        return True
    return type(exc) is StellwerkError


def backoff_s(claimed: Claim, retry_after_s: float | None) -> float:
    """As the operation's policy says, but never before the provider's own Retry-After."""
    asked_s = min(retry_after_s or 0.0, LONGEST_WAIT_S)
    return max(claimed.operation.retry.delay_s(claimed.failures), asked_s)


def error_of(exc: StellwerkError) -> dict[str, Any]:
    """The error as the job's document shows it."""
    fields = [{"field": error.field, "reason": error.reason} for error in exc.errors]
    details = {**exc.details, "errors": fields} if fields else exc.details
    return lifecycle.failure(exc.code, exc.message, retryable=is_retryable(exc), details=details)


def final_error(claimed: Claim, error: dict[str, Any]) -> dict[str, Any]:
    """The same, or of a job whose rollback failed: why it was rolled back, and that."""
    if claimed.ending:
        return lifecycle.undo_failed(claimed.ending, error["message"])
    return error


def over_limit(claimed: Claim) -> StellwerkError:
    """The error of an attempt that was stopped at its operation's time limit."""
    limit_s = claimed.operation.time_limit_s
    return Unavailable(
        f"The attempt took longer than {limit_s:g} s.", code=ErrorCode.TIME_LIMIT_EXCEEDED
    )
