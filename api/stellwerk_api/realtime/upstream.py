"""Asks Flask, in the caller's name."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
from starlette.requests import Request

from stellwerk.errors import MalformedRequest, Unavailable
from stellwerk.jobs.states import TERMINAL
from stellwerk_api.realtime.wishes import Wish

CONNECTIONS = 64
CONNECT_RETRIES = 4  # over 3.5 s: a web process that is being restarted fails no request
TIMEOUTS = httpx.Timeout(30.0, connect=2.0, pool=10.0)

Headers = list[tuple[bytes, bytes]]

# These belong to one connection (RFC 9110, section 7.6.1), or to what we do ourselves.
_NOT_SENT_ON = frozenset(
    b"connection keep-alive proxy-connection proxy-authenticate proxy-authorization te trailer "
    b"transfer-encoding upgrade expect accept-encoding prefer".split()
)
# Who asks, and from where: what a question in the caller's name repeats.
_CALLER = frozenset(
    b"authorization x-api-key cookie host origin user-agent x-request-id traceparent "
    b"x-forwarded-for x-forwarded-proto x-forwarded-host".split()
)


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


class Upstream:
    """The web process."""

    def __init__(self, address: str) -> None:
        self._base = httpx.URL(f"http://{address}")
        self._client = httpx.AsyncClient(
            timeout=TIMEOUTS,
            transport=httpx.AsyncHTTPTransport(
                limits=httpx.Limits(max_connections=CONNECTIONS, keepalive_expiry=20),
                retries=CONNECT_RETRIES,
            ),
            trust_env=False,
        )

    async def forward(
        self, request: Request, wish: Wish, *, without: frozenset[bytes] = frozenset()
    ) -> httpx.Response:
        """Send a request on without its wait; the answer's body is not read yet.

        Raises Unavailable, and MalformedRequest for an address that cannot be sent on.
        """
        headers = [pair for pair in _sent_on(request) if pair[0] not in without]
        headers += [(b"prefer", wish.prefer.encode("latin-1"))] if wish.prefer else []
        path = request.scope["raw_path"] + (
            f"?{wish.query}".encode("latin-1") if wish.query else b""
        )
        has_body = {"content-length", "transfer-encoding"} & set(request.headers)
        body = request.stream() if has_body else None
        question = self._question(request.method, path, headers, body)
        with _clear_failures():
            return await self._client.send(question, stream=True)

    async def job(self, request: Request, job_id: str) -> JobAnswer:
        """Ask for a job in the name of the caller of `request`; raises Unavailable."""
        headers = [pair for pair in _sent_on(request) if pair[0] in _CALLER]
        headers.append((b"accept", b"application/json"))
        question = self._question("GET", f"/api/v1/jobs/{job_id}".encode(), headers, None)
        with _clear_failures():
            return _job_answer(await self._client.send(question))

    async def close(self) -> None:
        """Give the connections back."""
        await self._client.aclose()

    def _question(self, method: str, path: bytes, headers: Headers, body: Any) -> httpx.Request:
        try:
            url = self._base.copy_with(raw_path=path)
        except httpx.InvalidURL as exc:
            raise MalformedRequest("The request's address cannot be read.") from exc
        headers = [*headers, (b"accept-encoding", b"identity")]
        return self._client.build_request(method, url, headers=headers, content=body)


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


def _job_answer(response: httpx.Response) -> JobAnswer:
    if response.status_code != httpx.codes.OK:
        return JobAnswer(response, 0, is_final=False)
    version = re.search(r"\d+", response.headers.get("etag", ""))
    return JobAnswer(
        response,
        version=int(version[0]) if version else 0,
        is_final=status_in(response)[1] in TERMINAL,
    )


def _sent_on(request: Request) -> Headers:
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
