"""Request ids, one log line and one measurement per request, and headers every answer has."""

import time
from contextlib import suppress
from typing import NamedTuple

import structlog
from flask import Flask, Response, g, request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.wsgi import LimitedStream

from stellwerk_api import context
from stellwerk_api.bodies import READ_BYTES
from stellwerk_api.limits import headers_of, noted
from stellwerk_api.metrics import observe_request
from stellwerk_api.own_headers import REQUEST_ID, SECURITY, well_formed_id

DRAIN_BYTES = 4 * 1024 * 1024  # longer bodies cost their sender the connection
NO_CONTENT = frozenset({204, 304})

_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})

log = structlog.get_logger()


class Answered(NamedTuple):
    """What is told of every request."""

    method: str
    path: str
    route: str
    status: int
    duration_s: float
    user_id: int | None
    remote: str | None
    request_id: str


def record(answered: Answered, *, slow_s: float) -> None:
    """Measure a request, and write its line into the log: a warning where it took `slow_s`."""
    observe_request(answered.route, answered.method, answered.status, answered.duration_s)
    is_slow = 0 < slow_s <= answered.duration_s
    tell = log.warning if is_slow else log.info
    tell(
        "slow request" if is_slow else "request",
        request_id=answered.request_id,
        method=answered.method,
        path=answered.path,
        route=answered.route,
        status=answered.status,
        duration_ms=round(answered.duration_s * 1000, 1),
        user_id=answered.user_id,
        remote=answered.remote,
    )


def observe(app: Flask) -> None:
    """Watch every request of the app."""
    app.before_request(_begin)
    app.after_request(_end)


def request_id() -> str:
    """The id of the request being answered: the client's if it is well-formed, else ours."""
    known = g.get("request_id")
    if known is None:
        g.request_id = known = well_formed_id(request.headers.get(REQUEST_ID, ""))
    return str(known)


def _begin() -> None:
    g.started_at = time.perf_counter()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=request_id())


def _end(response: Response) -> Response:
    _drain()
    response.headers[REQUEST_ID] = request_id()
    response.headers.update(headers_of(noted()))
    for name, value in SECURITY.items():
        response.headers.setdefault(name, value)
    if response.status_code in NO_CONTENT or request.method == "OPTIONS":
        response.headers.pop("Content-Type", None)
    _record(response.status_code, time.perf_counter() - g.get("started_at", time.perf_counter()))
    return response


def _drain() -> None:
    """Read what is left of the body: the server hangs up on clients whose body nobody read."""
    length = request.content_length or 0
    if request.method in _WITHOUT_BODY and not length:
        return
    with suppress(RequestEntityTooLarge, ClientDisconnected):
        if length <= READ_BYTES:
            request.get_data()
        elif length <= DRAIN_BYTES:
            LimitedStream(request.environ["wsgi.input"], length).exhaust()


def _without_secrets(path: str) -> str:
    """Some addresses need no account, since nobody can guess them."""
    secret = (request.view_args or {}).get("token")
    return path.replace(secret, "<token>") if secret else path


def _record(status: int, duration_s: float) -> None:
    caller = g.get("caller")
    record(
        Answered(
            method=request.method,
            path=_without_secrets(request.path)[:500],
            route=request.url_rule.rule if request.url_rule else "unmatched",
            status=status,
            duration_s=duration_s,
            user_id=caller.user_id if caller else None,
            remote=request.remote_addr,
            request_id=request_id(),
        ),
        slow_s=context.platform().settings.slow_request_s,
    )
