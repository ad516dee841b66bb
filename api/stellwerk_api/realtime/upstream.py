"""Asks Flask: in the caller's name, and in our own what was missed."""

import asyncio
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
from starlette.requests import HTTPConnection, Request

from stellwerk.errors import ApiRefused, ErrorCode, MalformedRequest, Unavailable
from stellwerk.jobs.states import TERMINAL
from stellwerk.live.events import EventId, JobEvent
from stellwerk_api.limit_headers import AS_EVENT, REPEAT
from stellwerk_api.realtime.refusals import STATUS
from stellwerk_api.realtime.wishes import Wish

CONNECTIONS = 64  # for requests that are handed on
QUESTIONS = 12  # of listeners at once; more wait here, since web has few threads for them
SPARE = 4  # connections that are left for questions of our own
CONNECT_RETRIES = 4  # over 3.5 s: a web process that is being restarted fails no request
IDLE_S = 2  # web's former workers close what is idle after three, when they are replaced
TIMEOUTS = httpx.Timeout(30.0, connect=2.0, pool=10.0)

Headers = list[tuple[bytes, bytes]]

# These belong to one connection (RFC 9110, section 7.6.1), or to what we do ourselves.
_NOT_SENT_ON = frozenset(
    b"connection keep-alive proxy-connection proxy-authenticate proxy-authorization te trailer "
    b"transfer-encoding upgrade expect accept-encoding prefer".split()
) | {REPEAT.lower().encode()}
# Who asks, and from where: what a question in the caller's name repeats.
_CALLER = frozenset(
    b"authorization x-api-key cookie host origin user-agent x-request-id traceparent "
    b"x-forwarded-for x-forwarded-proto x-forwarded-host x-edge-token".split()
)
_CREDENTIALS = frozenset({b"authorization", b"x-api-key", b"cookie"})


@dataclass(frozen=True, slots=True)
class JobAnswer:
    """Flask's answer about a job. Refused ones have version 0 and are never final."""

    response: httpx.Response
    version: int
    is_final: bool

    @property
    def is_found(self) -> bool:
        """Whether the caller may see the job."""
        return self.response.status_code == httpx.codes.OK

    def events(self, job_id: str, *, after: EventId) -> list[JobEvent]:
        """The job as a `snapshot`, and its `end` where that is final; nothing if that was sent."""
        event_id = EventId(self.version, 0)
        if not self.is_found or event_id <= after:
            return []
        kinds = ("snapshot", "end") if self.is_final else ("snapshot",)
        return [JobEvent(job_id, "", event_id, kind, self.response.content) for kind in kinds]


class Upstream:
    """The web process."""

    def __init__(self, address: str, *, token: str) -> None:
        self._token = token
        self._questions = asyncio.Semaphore(QUESTIONS)
        self._base = httpx.URL(f"http://{address}")
        self._client = _client(CONNECTIONS)
        # Apart, since each request costs httpcore time for every connection in its pool.
        self._asking = _client(QUESTIONS + SPARE)

    async def forward(
        self,
        request: Request,
        wish: Wish,
        *,
        without: frozenset[bytes] = frozenset(),
        is_repeat: bool = False,
    ) -> httpx.Response:
        """Send a request on without its wait; the answer's body is not read yet.

        `is_repeat`: it was sent on before, and does not count against limits again.
        Raises Unavailable, and MalformedRequest for an address that cannot be sent on.
        """
        headers = [pair for pair in _sent_on(request) if pair[0] not in without]
        headers += [(b"prefer", wish.prefer.encode("latin-1"))] if wish.prefer else []
        headers = self.again(headers) if is_repeat else headers
        path = request.scope["raw_path"] + (
            f"?{wish.query}".encode("latin-1") if wish.query else b""
        )
        has_body = {"content-length", "transfer-encoding"} & set(request.headers)
        body = request.stream() if has_body else None
        question = self._question(request.method, path, headers, body)
        with _clear_failures():
            return await self._client.send(question, stream=True)

    def again(self, asker: Headers) -> Headers:
        """In the same name, for a request that was counted against its limits already."""
        return [*asker, (REPEAT.lower().encode(), self._token.encode())]

    async def job(self, asker: Headers, job_id: str) -> JobAnswer:
        """Ask for a job in a caller's name; raises Unavailable."""
        return _job_answer(await self._asked(f"/api/v1/jobs/{job_id}", asker))

    async def event_job(self, asker: Headers, job_id: str) -> JobAnswer:
        """The same as events tell it: what is sensitive is masked for its owner, too."""
        return await self.job([*asker, (AS_EVENT.lower().encode(), b"1")], job_id)

    async def seen_job(self, asker: Headers, job_id: str) -> JobAnswer:
        """That for those who cannot hand a refusal on: raises ApiRefused, too."""
        answer = await self.event_job(asker, job_id)
        _require_ok(answer.response)
        return answer

    async def listed(self, path: str, asker: Headers) -> bytes:
        """A list as JSON, such as the caller's newest jobs; raises ApiRefused and Unavailable."""
        return _require_ok(await self._asked(path, asker))

    async def listener(self, asker: Headers) -> httpx.Response:
        """Web's answer to who listens (`StandingSchema`), which counts as a poll."""
        return await self._asked("/api/v1/listeners/me", asker)

    async def standing(self, asker: Headers) -> Any:
        """Whose the credentials are; raises ApiRefused and Unavailable."""
        return orjson.loads(_require_ok(await self.listener(asker)))

    async def compared(self, jobs: Mapping[str, int], credentials: Collection[str]) -> Any:
        """What was missed (`ComparisonSchema`); raises ApiRefused and Unavailable."""
        asker = [
            (b"authorization", f"Bearer {self._token}".encode()),
            (b"content-type", b"application/json"),
        ]
        body = orjson.dumps({"jobs": dict(jobs), "credentials": sorted(credentials)})
        answer = await self._answer("POST", "/api/v1/listeners/compare", asker, body)
        return orjson.loads(_require_ok(answer))

    async def close(self) -> None:
        """Give the connections back."""
        await self._client.aclose()
        await self._asking.aclose()

    async def _asked(self, path: str, asker: Headers) -> httpx.Response:
        async with self._questions:
            return await self._answer("GET", path, asker, None)

    async def _answer(
        self, method: str, path: str, headers: Headers, body: bytes | None
    ) -> httpx.Response:
        headers = [*headers, (b"accept", b"application/json")]
        question = self._question(method, path.encode(), headers, body)
        with _clear_failures():
            return await self._asking.send(question)

    def _question(self, method: str, path: bytes, headers: Headers, body: Any) -> httpx.Request:
        try:
            url = self._base.copy_with(raw_path=path)
        except httpx.InvalidURL as exc:
            raise MalformedRequest("The request's address cannot be read.") from exc
        headers = [*headers, (b"accept-encoding", b"identity")]
        return self._client.build_request(method, url, headers=headers, content=body)


def _client(connections: int) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        timeout=TIMEOUTS,
        transport=httpx.AsyncHTTPTransport(
            limits=httpx.Limits(max_connections=connections, keepalive_expiry=IDLE_S),
            retries=CONNECT_RETRIES,
        ),
        trust_env=False,
    )


async def read_whole(response: httpx.Response) -> None:
    """Read the body of a forwarded request's answer; raises Unavailable."""
    with _clear_failures():
        await response.aread()


def status_in(response: httpx.Response) -> tuple[str, str]:
    """`job_id` and `status` of a JSON answer that was read; empty where there are none."""
    try:
        document = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return "", ""
    if not isinstance(document, dict):
        return "", ""
    return str(document.get("job_id") or ""), str(document.get("status") or "")


def caller_of(connection: HTTPConnection, *, token: str = "") -> Headers:
    """Who asks, and from where, as headers; with `token` instead of the request's credentials."""
    headers = [pair for pair in _sent_on(connection) if pair[0] in _CALLER]
    if not token:
        return headers
    kept = [pair for pair in headers if pair[0] not in _CREDENTIALS]
    return [*kept, (b"authorization", b"Bearer " + token.encode())]


def _require_ok(response: httpx.Response) -> bytes:
    if response.status_code == httpx.codes.OK:
        return response.content
    code, message, details = _error_in(response)
    if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise Unavailable(message, retry_after_s=2)
    wait_s = response.headers.get("retry-after", "")
    raise ApiRefused(
        message,
        code=code,
        details={**details, STATUS: response.status_code},
        retry_after_s=int(wait_s) if wait_s.isdecimal() else None,
    )


def _error_in(response: httpx.Response) -> tuple[ErrorCode, str, dict[str, Any]]:
    try:
        error = orjson.loads(response.content)["error"]
        return ErrorCode(error["code"]), str(error["message"]), dict(error["details"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return ErrorCode.INTERNAL_ERROR, "The web process refused it without a reason.", {}


def _job_answer(response: httpx.Response) -> JobAnswer:
    if response.status_code != httpx.codes.OK:
        return JobAnswer(response, 0, is_final=False)
    version = re.search(r"\d+", response.headers.get("etag", ""))
    return JobAnswer(
        response,
        version=int(version[0]) if version else 0,
        is_final=status_in(response)[1] in TERMINAL,
    )


def _sent_on(request: HTTPConnection) -> Headers:
    """The caller's headers, with X-Forwarded-* where the edge set none."""
    headers: Headers = [pair for pair in request.headers.raw if pair[0] not in _NOT_SENT_ON]
    names = {name for name, _ in headers}
    forwarded = {
        b"x-forwarded-for": request.client.host if request.client else "",
        b"x-forwarded-proto": request.url.scheme,
        b"x-forwarded-host": request.headers.get("host", ""),
    }
    missing = [(name, value) for name, value in forwarded.items() if value and name not in names]
    return headers + [(name, value.encode("latin-1")) for name, value in missing]


@contextmanager
def _clear_failures() -> Iterator[None]:
    try:
        yield
    except httpx.TransportError as exc:
        message = "The web process does not answer. Send the request again."
        raise Unavailable(message, retry_after_s=2) from exc
