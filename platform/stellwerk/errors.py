"""Every error Stellwerk raises on purpose, in one tree.

::

    StellwerkError
    ├── InvalidInput              422  the request can be mended by its sender
    │   └── MalformedRequest      400  it could not even be read
    ├── NotAuthenticated          401
    ├── PaymentRequired           402  a budget is used up
    ├── NotPermitted              403
    ├── NotFound                  404
    ├── Conflict                  409  the state of the thing forbids it now
    ├── Gone                      410
    ├── LimitReached              429  later, or with a higher tier
    ├── Unavailable               503  a part of the platform is missing right now
    ├── ProviderError
    │   ├── ProviderUnavailable   503  the outside service may work later: retried
    │   └── ProviderRejected      422  it never will: final
    ├── StackError                the embedded stack cannot start, be found or be stopped
    │   ├── AlreadyRunning
    │   ├── NotRunning
    │   └── PortTaken
    ├── JobFailed                 a handler ends its job, without a retry
    ├── Stopped                   work was given up because its caller asked for it
    └── ConfigurationError        the process cannot start; says what to set

Codes are public contract: clients switch on them. `code` is the class's default and may be
narrowed where it is raised, always to a member of `ErrorCode`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class ErrorCode(StrEnum):
    """Machine-readable reason in an error envelope or in a job's `error`."""

    VALIDATION_FAILED = "VALIDATION_FAILED"
    MALFORMED_REQUEST = "MALFORMED_REQUEST"
    NOT_AUTHENTICATED = "NOT_AUTHENTICATED"
    INVALID_CREDENTIALS = "INVALID_CREDENTIALS"
    TOKEN_EXPIRED = "TOKEN_EXPIRED"  # noqa: S105  a code, not a secret
    BUDGET_EXCEEDED = "BUDGET_EXCEEDED"
    NOT_PERMITTED = "NOT_PERMITTED"
    CHANNEL_LIMIT_REACHED = "CHANNEL_LIMIT_REACHED"
    NOT_FOUND = "NOT_FOUND"
    OPERATION_UNKNOWN = "OPERATION_UNKNOWN"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    NOT_ACCEPTABLE = "NOT_ACCEPTABLE"
    CONFLICT = "CONFLICT"
    JOB_NOT_CANCELLABLE = "JOB_NOT_CANCELLABLE"
    JOB_NOT_RETRYABLE = "JOB_NOT_RETRYABLE"
    DUPLICATE_JOB = "DUPLICATE_JOB"
    GONE = "GONE"
    PAYLOAD_TOO_LARGE = "PAYLOAD_TOO_LARGE"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    RANGE_NOT_SATISFIABLE = "RANGE_NOT_SATISFIABLE"
    PRECONDITION_FAILED = "PRECONDITION_FAILED"
    LIMIT_REACHED = "LIMIT_REACHED"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    UNAVAILABLE = "UNAVAILABLE"
    PROVIDER_UNAVAILABLE = "PROVIDER_UNAVAILABLE"
    PROVIDER_REJECTED = "PROVIDER_REJECTED"
    PROVIDER_NOT_CONFIGURED = "PROVIDER_NOT_CONFIGURED"
    JOB_FAILED = "JOB_FAILED"
    JOB_CANCELLED = "JOB_CANCELLED"
    JOB_POISONED = "JOB_POISONED"
    LEASE_LOST = "LEASE_LOST"
    TIME_LIMIT_EXCEEDED = "TIME_LIMIT_EXCEEDED"
    SIGNAL_TIMEOUT = "SIGNAL_TIMEOUT"
    EFFECT_UNCERTAIN = "EFFECT_UNCERTAIN"
    UNDO_FAILED = "UNDO_FAILED"
    CONFIGURATION = "CONFIGURATION"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One reason why one field was refused; `field` is a dotted path into the body."""

    field: str
    reason: str


class StellwerkError(Exception):
    """An error with a public code and a message that says what to do."""

    code = ErrorCode.INTERNAL_ERROR

    def __init__(
        self,
        message: str,
        *,
        code: ErrorCode | None = None,
        errors: Sequence[FieldError] = (),
        details: Mapping[str, Any] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.errors = tuple(errors)
        self.details = dict(details or {})
        self.retry_after_s = retry_after_s


class InvalidInput(StellwerkError):
    """Well-formed input that breaks a rule; `errors` names each field."""

    code = ErrorCode.VALIDATION_FAILED


class MalformedRequest(InvalidInput):
    """Input that could not be parsed at all."""

    code = ErrorCode.MALFORMED_REQUEST


class NotAuthenticated(StellwerkError):
    """Nobody, or nobody any more: sign in and send the request again."""

    code = ErrorCode.NOT_AUTHENTICATED


class PaymentRequired(StellwerkError):
    """The owner's budget does not cover the estimate."""

    code = ErrorCode.BUDGET_EXCEEDED


class NotPermitted(StellwerkError):
    """Known caller, missing permission."""

    code = ErrorCode.NOT_PERMITTED


class NotFound(StellwerkError):
    """Does not exist, or is not the caller's to see."""

    code = ErrorCode.NOT_FOUND


class Conflict(StellwerkError):
    """The present state of the resource does not allow it."""

    code = ErrorCode.CONFLICT


class Gone(StellwerkError):
    """It existed and was removed for good."""

    code = ErrorCode.GONE


class LimitReached(StellwerkError):
    """Too many, too fast, or too much for today."""

    code = ErrorCode.LIMIT_REACHED


class Unavailable(StellwerkError):
    """A part of the platform is missing; the same request may work soon."""

    code = ErrorCode.UNAVAILABLE


class ProviderError(StellwerkError):
    """An outside service did not do what was asked."""

    code = ErrorCode.PROVIDER_UNAVAILABLE


class ProviderUnavailable(ProviderError):
    """Timeout, overload, network: the same call may work later, so the job is retried."""


class ProviderRejected(ProviderError):
    """The service refused this input or these credentials; repeating cannot help."""

    code = ErrorCode.PROVIDER_REJECTED


class JobFailed(StellwerkError):
    """Raised by a handler to end its job as failed, without another attempt."""

    code = ErrorCode.JOB_FAILED


class Stopped(StellwerkError):
    """Long work gave up half-way because its `should_stop` said so."""

    code = ErrorCode.JOB_CANCELLED


class StackError(StellwerkError):
    """The embedded stack cannot start or stop; the message says what to mend."""

    code = ErrorCode.CONFIGURATION


class AlreadyRunning(StackError):
    """Another `stellwerk up` owns this home."""


class NotRunning(StackError):
    """No `stellwerk up` owns this home."""


class PortTaken(StackError):
    """The public port cannot be listened on."""


class ConfigurationError(StellwerkError):
    """A setting is missing or wrong; the message names it and an example value."""

    code = ErrorCode.CONFIGURATION
