"""`POST /jobs` answered before Flask's dispatch.

Only the usual case is answered here: a caller whom Redis knows, a body that is right, an operation
whose domain has no say, no `Idempotency-Key` and no header that changes the answer. Everything
else, and whatever was refused before anything was stored, goes to Flask, which answers the same
request in the same way, only later; a test compares the two header by header. What fails while the
job is stored is not tried again: Flask is handed the failure, to answer that.
"""

import io
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import orjson
import structlog
from flask import Flask, request
from marshmallow import ValidationError

from stellwerk.bootstrap import Platform
from stellwerk.configuration.entries import MAINTENANCE
from stellwerk.errors import Conflict, InvalidInput, StellwerkError
from stellwerk.identity.caller import Caller
from stellwerk.jobs.queries import API
from stellwerk.jobs.submission import Submission, submit
from stellwerk.live.limits import REFUSED
from stellwerk_api.accepted import acceptance
from stellwerk_api.auth import EXTENSION, declarations
from stellwerk_api.bodies import MAX_BODY_BYTES, is_plain
from stellwerk_api.credentials import Credentials, given_in
from stellwerk_api.jobs.managing import first_status
from stellwerk_api.jobs.schemas import SubmissionBody
from stellwerk_api.jobs.usual import defaults_of, is_usual
from stellwerk_api.json_answers import MIMETYPE, as_json
from stellwerk_api.limits import COUNTED, headers_of
from stellwerk_api.observation import Answered, record
from stellwerk_api.own_headers import REQUEST_ID, SECURITY, well_formed_id

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

ENDPOINT = "jobs.submit"
PATH = f"{API}/jobs"
STATUS = 202
FAILURE = "stellwerk.failure"  # in the WSGI environment

_STATUS_LINE = "202 ACCEPTED"
_UNUSUAL = ("HTTP_ORIGIN", "HTTP_TRANSFER_ENCODING", "HTTP_IDEMPOTENCY_KEY")
_BODY = SubmissionBody()
_DEFAULTS = defaults_of(_BODY)
_ELSEWHERE = ("callback_url", "parent")  # members of the body with checks of their own

log = structlog.get_logger()


class _Wanted(NamedTuple):
    """A submission that has only to be stored, and who asks."""

    submission: Submission
    caller: Caller


class QuickSubmissions:
    """WSGI middleware in front of Flask."""

    def __init__(self, app: Flask, platform: Platform) -> None:
        self._flask = app.wsgi_app
        self._runtime = platform.runtime
        self._slow_s = platform.settings.slow_request_s
        self._configuration = platform.configuration
        self._credentials: Credentials = app.extensions[EXTENSION]
        self._limiter = self._credentials.limiter
        self._access = declarations(app)[ENDPOINT]
        self._route = next(app.url_map.iter_rules(ENDPOINT)).rule
        app.before_request(_fail_as_it_failed)

    def __call__(self, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        """Answer, or let Flask answer."""
        began = time.perf_counter()
        if not _is_usual(environ) or self._configuration[MAINTENANCE]:
            return self._flask(environ, start)
        data = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        request_id = well_formed_id(environ.get("HTTP_X_REQUEST_ID", ""))
        wanted = self._stored(environ, data, request_id)
        if wanted is None:
            environ["wsgi.input"] = io.BytesIO(data)
            return self._flask(environ, start)
        body, headers = _answer(wanted.submission)
        limits = headers_of([environ[COUNTED]]) if COUNTED in environ else {}
        start(_STATUS_LINE, list({REQUEST_ID: request_id, **SECURITY, **limits, **headers}.items()))
        record(
            Answered(
                method="POST",
                path=PATH,
                route=self._route,
                status=STATUS,
                duration_s=time.perf_counter() - began,
                user_id=wanted.caller.user_id,
                remote=environ.get("REMOTE_ADDR"),
                request_id=request_id,
            ),
            slow_s=self._slow_s,
        )
        return (body,)

    def _stored(self, environ: "WSGIEnvironment", data: bytes, request_id: str) -> _Wanted | None:
        try:
            wanted = self._checked(environ, data, request_id)
        except (StellwerkError, ValidationError, ValueError):
            return None
        except Exception:  # whatever it is, Flask can answer
            log.exception("a submission was left to Flask")
            return None
        if wanted is None:
            return None
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            submit(self._runtime, wanted.submission)
        except (InvalidInput, Conflict):  # nothing was stored, and Flask finds the same
            return None
        except Exception as exc:  # noqa: BLE001  Flask's error handlers tell them apart
            environ[FAILURE] = exc
            return None
        return wanted

    def _checked(self, environ: "WSGIEnvironment", data: bytes, request_id: str) -> _Wanted | None:
        """Raises what the same request would be refused with, or other errors."""
        body = orjson.loads(data)
        if not is_plain(data):
            return None
        fields = fields_of(body)
        if any(fields.pop(name, None) for name in _ELSEWHERE):
            return None
        operation = self._runtime.registry.get(fields["operation"])
        if operation.on_accept or operation.requires_idempotency_key or operation.rate_class:
            return None
        caller = self._caller(environ)
        if caller is None:
            return None
        caller.require_operation(operation.name, operation.permission)
        fields["tags"] = tuple(fields["tags"])
        return _Wanted(Submission(owner_id=caller.user_id, request_id=request_id, **fields), caller)

    def _caller(self, environ: "WSGIEnvironment") -> Caller | None:
        """Who asks, where Redis knows and they are within their limit; raises where they may not.

        What was counted here, Flask does not count once more.
        """
        credentials, limiter, counts = self._credentials, self._limiter, self._access.counts
        given = given_in(environ.get("HTTP_AUTHORIZATION", ""), environ.get("HTTP_X_API_KEY", ""))
        proof = credentials.proof(given)
        counting = credentials.counting(proof, counts)
        if counting is None:
            return None
        copy = credentials.live.copy(proof.redis_key, counting)
        caller = proof.caller(copy)
        if caller is None or copy.counted is None or copy.counted.left == REFUSED:
            return None
        environ[COUNTED] = limiter.tally(counts, caller.tier, copy.counted)
        caller.require(self._access.permission)
        caller.require_scope(changes=True, submits=self._access.submits)
        return caller


def fields_of(body: Any) -> dict[str, Any]:
    """What the schema makes of a body; a usual one it would only give defaults."""
    if is_usual(body):
        return {**_DEFAULTS, **body}
    fields: dict[str, Any] = _BODY.load(body)
    return fields


def _answer(submission: Submission) -> tuple[bytes, dict[str, str]]:
    job_id: UUID = submission.job_id
    status = first_status(submission.run_at)
    said, headers = acceptance(job_id, submission.operation, status, {})
    body = as_json(said)
    return body, {**headers, "Content-Type": MIMETYPE, "Content-Length": str(len(body))}


def _fail_as_it_failed() -> None:
    """Raise what a submission failed with, so that it is answered as such."""
    failure = request.environ.get(FAILURE)
    if failure is not None:
        raise failure


def _is_usual(environ: Mapping[str, Any]) -> bool:
    if environ["PATH_INFO"] != PATH or environ["REQUEST_METHOD"] != "POST":
        return False
    if environ["QUERY_STRING"] or environ.get("CONTENT_TYPE") != MIMETYPE:
        return False
    length = environ.get("CONTENT_LENGTH", "")
    if not (length.isdecimal() and 0 < int(length) <= MAX_BODY_BYTES):
        return False
    return not any(name in environ for name in _UNUSUAL)
