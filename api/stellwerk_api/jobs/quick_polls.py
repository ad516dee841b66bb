"""`GET /jobs/{id}` answered before Flask's dispatch, in one round trip to Redis.

Only the usual case is answered here: a caller whom Redis knows, their own job, shown in Redis,
no parameter and no header that changes the answer. Everything else goes to Flask, which answers
the same request in the same way, only later; a test compares the two header by header.
"""

import re
import time
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog
from flask import Flask

from stellwerk.bootstrap import Platform
from stellwerk.configuration.rates import RateClass
from stellwerk.errors import StellwerkError
from stellwerk.identity.caller import Caller
from stellwerk.jobs.queries import API
from stellwerk.live.glances import Glance, Glances
from stellwerk.live.limits import REFUSED, Count
from stellwerk.live.status import Shown
from stellwerk_api.auth import EXTENSION, declarations
from stellwerk_api.credentials import Credentials, given_in
from stellwerk_api.jobs.reading import poll_headers
from stellwerk_api.json_answers import MIMETYPE
from stellwerk_api.limit_headers import REPEAT
from stellwerk_api.limits import COUNTED, Tally, headers_of
from stellwerk_api.observation import Answered, record
from stellwerk_api.own_headers import REQUEST_ID, SECURITY, well_formed_id

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

ENDPOINT = "jobs.poll"

_PATH = re.compile(rf"{API}/jobs/([0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}})")
_ETAG = re.compile(r'"[^"]*"')
# With one of these a request is not the usual one: a body, or an answer for browsers (CORS).
_UNUSUAL = ("HTTP_ORIGIN", "HTTP_TRANSFER_ENCODING")
_REPEAT = f"HTTP_{REPEAT.upper().replace('-', '_')}"
_STATUS_LINE = {status: f"{status.value} {status.phrase.upper()}" for status in HTTPStatus}

log = structlog.get_logger()


class _Answer(NamedTuple):
    status: HTTPStatus
    headers: dict[str, str]
    body: bytes
    user_id: int
    tally: Tally | None


class QuickPolls:
    """WSGI middleware in front of Flask."""

    def __init__(self, app: Flask, platform: Platform) -> None:
        self._flask = app.wsgi_app
        self._credentials: Credentials = app.extensions[EXTENSION]
        self._limiter = self._credentials.limiter
        self._slow_s = platform.settings.slow_request_s
        self._glances = Glances(platform.live_client, self._credentials.live.seen)
        self._access = declarations(app)[ENDPOINT]
        self._route = next(app.url_map.iter_rules(ENDPOINT)).rule

    def __call__(self, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        """Answer, or let Flask answer."""
        began = time.perf_counter()
        job_id = _usual_poll(environ)
        answer = self._tried(environ, job_id) if job_id else None
        if answer is None:
            return self._flask(environ, start)
        request_id = well_formed_id(environ.get("HTTP_X_REQUEST_ID", ""))
        limits = headers_of((answer.tally,)) if answer.tally else {}
        headers = {REQUEST_ID: request_id, **SECURITY, **limits, **answer.headers}
        start(_STATUS_LINE[answer.status], list(headers.items()))
        record(
            Answered(
                method="GET",
                path=environ["PATH_INFO"],
                route=self._route,
                status=answer.status.value,
                duration_s=time.perf_counter() - began,
                user_id=answer.user_id,
                remote=environ.get("REMOTE_ADDR"),
                request_id=request_id,
            ),
            slow_s=self._slow_s,
        )
        return (answer.body,)

    def _tried(self, environ: "WSGIEnvironment", job_id: str) -> _Answer | None:
        try:
            return self._look(environ, job_id)
        except StellwerkError:
            return None
        except Exception:  # whatever it is, Flask can answer
            log.exception("a poll was left to Flask")
            return None

    def _look(self, environ: "WSGIEnvironment", job_id: str) -> _Answer | None:
        proof = self._credentials.proof(
            given_in(environ.get("HTTP_AUTHORIZATION", ""), environ.get("HTTP_X_API_KEY", ""))
        )
        counts = self._counted_as(environ)
        counting = self._credentials.counting(proof, counts) if counts else None
        if counts and counting is None:
            return None
        glance = self._glances.take(proof.redis_key, job_id, counting)
        caller = glance and proof.caller(glance.copy)
        if not (glance and caller):
            return None
        if counts and not self._passes(environ, counts, caller, glance.copy.counted):
            return None
        if not (glance.shown and glance.shown.owner_id == caller.user_id):
            return None  # a job that is shared with the caller is for Flask to find out
        caller.require(self._access.permission)
        caller.require_scope(changes=False)
        return _answer(glance, glance.shown, job_id, environ)

    def _counted_as(self, environ: Mapping[str, Any]) -> RateClass | None:
        is_repeat = self._credentials.is_repeat(environ.get(_REPEAT, ""))
        return None if is_repeat else self._access.counts

    def _passes(
        self, environ: "WSGIEnvironment", counts: RateClass, caller: Caller, count: Count | None
    ) -> bool:
        """Whether it was counted, within the limit; then Flask does not count it once more."""
        if count is None or count.left == REFUSED:
            return False
        environ[COUNTED] = self._limiter.tally(counts, caller.tier, count)
        return True


def _answer(
    glance: Glance, shown: Shown, job_id: str, environ: Mapping[str, Any]
) -> _Answer | None:
    head = shown.head
    if head is None or shown.owner_id is None:
        return None
    tally = environ.get(COUNTED)
    headers = poll_headers(shown, head, job_id, lambda queue: glance.depths.get(queue, 0))
    if environ.get("HTTP_IF_NONE_MATCH") == headers["ETag"]:
        return _Answer(HTTPStatus.NOT_MODIFIED, headers, b"", shown.owner_id, tally)
    headers["Content-Type"] = MIMETYPE
    headers["Content-Length"] = str(len(shown.document))
    return _Answer(HTTPStatus.OK, headers, shown.document, shown.owner_id, tally)


def _usual_poll(environ: Mapping[str, Any]) -> str | None:
    """The job that is asked for; None where the request is anything but a plain poll."""
    found = _PATH.fullmatch(environ["PATH_INFO"])
    if found is None or environ["REQUEST_METHOD"] != "GET" or environ["QUERY_STRING"]:
        return None
    if environ.get("CONTENT_LENGTH", "0") not in {"", "0"}:
        return None
    if any(name in environ for name in _UNUSUAL):
        return None
    etag = environ.get("HTTP_IF_NONE_MATCH")
    return found[1] if etag is None or _ETAG.fullmatch(etag) else None
