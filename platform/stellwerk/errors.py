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
    ├── UpgradeRequired           426  another protocol is spoken there
    ├── LimitReached              429  later, or with a higher tier
    ├── Unavailable               503  a part of the platform is missing right now
    ├── ProviderError
    │   ├── ProviderUnavailable   503  the outside service may work later: retried
    │   │   └── ProviderDeferred  503  the same, and it certainly did nothing now
    │   └── ProviderRejected      422  it never will: final
    │       └── GrantRevoked      422  an account's connection is over: connect it again
    ├── StackError                the embedded stack cannot start, be found or be stopped
    │   ├── AlreadyRunning
    │   ├── NotRunning
    │   └── PortTaken
    ├── ApiError                  what the command line client met
    │   ├── ApiRefused            the API said no; the message starts with its code
    │   └── ApiUnreachable        nothing answered
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

    VALIDATION_FAILED = "VALIDATION_FAILED"  # 422: a field breaks a rule; `details` names each
    MALFORMED_REQUEST = "MALFORMED_REQUEST"  # 400: the request cannot be read
    NOT_AUTHENTICATED = "NOT_AUTHENTICATED"  # 401: nobody is signed in, or nobody any more
    INVALID_CREDENTIALS = "INVALID_CREDENTIALS"  # 401: wrong e-mail address or password
    TOKEN_EXPIRED = "TOKEN_EXPIRED"  # 401: the access token is too old  # noqa: S105  a code, not a secret
    LINK_NOT_VALID = "LINK_NOT_VALID"  # 422: the link of a mail was used, has ended or never was
    BUDGET_EXCEEDED = "BUDGET_EXCEEDED"  # 402: the owner's budget does not cover the estimate
    NOT_PERMITTED = "NOT_PERMITTED"  # 403: the caller lacks the permission
    SIGN_IN_AGAIN = "SIGN_IN_AGAIN"  # 403: send the password as well, or sign in anew before
    CSRF_REFUSED = "CSRF_REFUSED"  # 403: a change by cookie without proof that our page asks
    CHANNEL_LIMIT_REACHED = "CHANNEL_LIMIT_REACHED"  # 403: the tier allows no further channel
    SCHEDULE_LIMIT_REACHED = "SCHEDULE_LIMIT_REACHED"  # 403: no further schedule; delete one
    NOT_FOUND = "NOT_FOUND"  # 404: does not exist, or is somebody else's
    OPERATION_UNKNOWN = "OPERATION_UNKNOWN"  # 404: there is no operation of that name
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"  # 405: the resource has no such method
    NOT_ACCEPTABLE = "NOT_ACCEPTABLE"  # 406: no representation that the client accepts
    CONFLICT = "CONFLICT"  # 409: the state of the resource forbids it now
    LAST_ADMIN = "LAST_ADMIN"  # 409: nobody could administer the installation any more
    JOB_NOT_CANCELLABLE = "JOB_NOT_CANCELLABLE"  # 409: the job has ended already
    CALL_ENDED = "CALL_ENDED"  # 409: it can not be hung up any more; `details` has its state
    JOB_NOT_RETRYABLE = "JOB_NOT_RETRYABLE"  # 409: it has to have failed or been cancelled
    JOB_NOT_UNCERTAIN = "JOB_NOT_UNCERTAIN"  # 409: no effect of the job waits to be resolved
    IDEMPOTENCY_KEY_REQUIRED = "IDEMPOTENCY_KEY_REQUIRED"  # 400: API keys have to send one here
    IDEMPOTENCY_KEY_IN_USE = "IDEMPOTENCY_KEY_IN_USE"  # 409: the same request is under way
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"  # 422: the key came with another body before
    CONFIGURATION_CHANGED = "CONFIGURATION_CHANGED"  # 409: by somebody else; read it again
    DUPLICATE_JOB = "DUPLICATE_JOB"  # 409: one with the same key is unfinished; see `details`
    CHILD_LIMIT_REACHED = "CHILD_LIMIT_REACHED"  # 409: too many children, or nested too deep
    SIGNAL_LIMIT_REACHED = "SIGNAL_LIMIT_REACHED"  # 409: the job has to take some signals first
    GONE = "GONE"  # 410: it existed and was removed for good
    PAYLOAD_TOO_LARGE = "PAYLOAD_TOO_LARGE"  # 413: the body is larger than 1 MiB
    URI_TOO_LONG = "URI_TOO_LONG"  # 414: the address is longer than 16 KiB
    HEADERS_TOO_LARGE = "HEADERS_TOO_LARGE"  # 431: the headers are too large for the edge
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"  # 415: the body is of another type
    RANGE_NOT_SATISFIABLE = "RANGE_NOT_SATISFIABLE"  # 416: the range lies outside the file
    UPGRADE_REQUIRED = "UPGRADE_REQUIRED"  # 426: connect with a WebSocket
    LIMIT_REACHED = "LIMIT_REACHED"  # 429: too many or too much; `Retry-After` says until when
    SLOW_READER = "SLOW_READER"  # stream: the client took events too slowly; connect again
    INTERNAL_ERROR = "INTERNAL_ERROR"  # 500: a fault of the platform; quote the `request_id`
    UNAVAILABLE = "UNAVAILABLE"  # 503: a part of the platform is missing now; send it again
    MAINTENANCE = "MAINTENANCE"  # 503: only operators change anything now; `Retry-After` says when
    PROVIDER_UNAVAILABLE = "PROVIDER_UNAVAILABLE"  # 503: an outside service does not answer
    PROVIDER_REJECTED = "PROVIDER_REJECTED"  # 422: an outside service refuses this input for good
    TRUNK_UNAVAILABLE = "TRUNK_UNAVAILABLE"  # 503: no calls now; `Retry-After` says when to ask
    GRANT_REVOKED = "GRANT_REVOKED"  # 422: a connected account was withdrawn; connect it again
    NOT_CONNECTED = "NOT_CONNECTED"  # 409: connect the account first: POST /connections/{provider}
    RETURN_URL_NOT_ALLOWED = "RETURN_URL_NOT_ALLOWED"  # 422: is not, letter by letter, in the list
    PKCE_REQUIRED = "PKCE_REQUIRED"  # 400: the code comes without the verifier of RFC 7636
    OAUTH_STATE_UNKNOWN = "OAUTH_STATE_UNKNOWN"  # 400: no such request, or it was answered before
    OAUTH_STATE_EXPIRED = "OAUTH_STATE_EXPIRED"  # 400: the request is older than 10 minutes
    OAUTH_OTHER_BROWSER = "OAUTH_OTHER_BROWSER"  # 403: the request was begun in another browser
    OAUTH_OTHER_USER = "OAUTH_OTHER_USER"  # 403: the request was begun by somebody else
    OAUTH_OTHER_ISSUER = "OAUTH_OTHER_ISSUER"  # 400: the answer is another server's (RFC 9207)
    OAUTH_DENIED = "OAUTH_DENIED"  # 403: the user said no at the provider
    ACCOUNT_TAKEN = "ACCOUNT_TAKEN"  # 409: the outside account belongs to another user here
    MODULE_BUSY = "MODULE_BUSY"  # 409: another operation on it runs; `details` has its id
    MODULE_INSTALLED = "MODULE_INSTALLED"  # 409: it is there already; update it, or add instances
    MODULE_AMBIGUOUS = "MODULE_AMBIGUOUS"  # 409: repositories differ; name one of `details`
    MODULE_NEEDED = "MODULE_NEEDED"  # 409: other modules need it; `details` names them
    MODULE_UP_TO_DATE = "MODULE_UP_TO_DATE"  # 409: that version runs already
    MODULE_CYCLE = "MODULE_CYCLE"  # 422: modules that need each other can not be installed
    MODULE_UNHEALTHY = "MODULE_UNHEALTHY"  # job: it did not become healthy; `details` has its log
    MODULE_PLACES_TAKEN = "MODULE_PLACES_TAKEN"  # 409: no further instance; remove one
    INSTANCE_IS_PRIMARY = "INSTANCE_IS_PRIMARY"  # 409: make another the primary one first
    REPOSITORY_IN_USE = "REPOSITORY_IN_USE"  # 409: installed modules are from it
    UNSIGNED_REPOSITORY = "UNSIGNED_REPOSITORY"  # 422: production takes those with a key alone
    TARGET_NOT_ALLOWED = "TARGET_NOT_ALLOWED"  # 422: a URL that the platform does not call
    REPOSITORY_DAMAGED = "REPOSITORY_DAMAGED"  # 422: an index of modules that cannot be used
    MODULE_ARCHIVE_REFUSED = "MODULE_ARCHIVE_REFUSED"  # 422: never unpacked; see `details.reason`
    MODULE_CHECKSUM_WRONG = "MODULE_CHECKSUM_WRONG"  # 422: not the archive that the index names
    MODULE_SIGNATURE_WRONG = "MODULE_SIGNATURE_WRONG"  # 422: not signed by the repository's owner
    JOB_FAILED = "JOB_FAILED"  # job: its handler ended it, without a retry
    CHILD_FAILED = "CHILD_FAILED"  # job: a child it waited for failed; `details` names them
    JOB_CANCELLED = "JOB_CANCELLED"  # job: somebody cancelled it
    JOB_POISONED = "JOB_POISONED"  # job: workers died while running it, three times
    TIME_LIMIT_EXCEEDED = "TIME_LIMIT_EXCEEDED"  # job: its attempts took too long
    SIGNAL_TIMEOUT = "SIGNAL_TIMEOUT"  # job: the signal it waited for did not come in time
    EFFECT_UNCERTAIN = "EFFECT_UNCERTAIN"  # job: a person has to find out whether it happened
    UNDO_FAILED = "UNDO_FAILED"  # job: rolling it back was given up; `details` tells both reasons
    CONFIGURATION = "CONFIGURATION"  # start: a setting or a part of the stack is missing or wrong


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


class UpgradeRequired(StellwerkError):
    """The resource speaks another protocol than plain HTTP."""

    code = ErrorCode.UPGRADE_REQUIRED


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


class ProviderDeferred(ProviderUnavailable):
    """The service certainly did nothing, and the same call may work later: an effect is repeated.

    Other errors of an effect's call leave in doubt whether it happened.
    """


class ProviderRejected(ProviderError):
    """The service refused this input or these credentials; repeating cannot help."""

    code = ErrorCode.PROVIDER_REJECTED


class GrantRevoked(ProviderRejected):
    """A connected account's grant was withdrawn: nothing works until its owner connects again."""

    code = ErrorCode.GRANT_REVOKED


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


class ApiError(StellwerkError):
    """The command line client did not get what it asked the API for."""

    code = ErrorCode.UNAVAILABLE


class ApiRefused(ApiError):
    """The API answered with an error envelope; `details` holds its `status` and `code`."""


class ApiUnreachable(ApiError):
    """Nothing that speaks our API answered at the URL."""


class ConfigurationError(StellwerkError):
    """A setting is missing or wrong; the message names it and an example value."""

    code = ErrorCode.CONFIGURATION
