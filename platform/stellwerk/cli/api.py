"""The platform's HTTP API, as the commands use it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from types import TracebackType
from typing import Any, Self

import requests

from stellwerk.cli.account import (
    API_PATH,
    Account,
    alone,
    current_account,
    keep,
    kept_account,
)
from stellwerk.cli.sse import ServerEvent, parse_events
from stellwerk.errors import ApiRefused, ApiUnreachable, ErrorCode, FieldError

CONNECT_S = 3.0
READ_S = 30.0
STREAM_SILENCE_S = 40.0  # heartbeats come every 15 s
ERRORS_FROM = 400


class Api:
    """One account's view of one platform. Paths start below `/api/v1`, or with `/api/v1`.

    A kept account whose token is over is renewed, and kept again.

    Every method raises ApiRefused (with the envelope's code, message and fields) or
    ApiUnreachable.
    """

    def __init__(self, account: Account, *, read_s: float = READ_S) -> None:
        self.url = account.url
        self._account = account
        self._read_s = read_s
        self._session = requests.Session()
        self._session.headers["User-Agent"] = f"stellwerk-cli/{version('stellwerk')}"
        self._session.auth = _Bearer(account.token)  # given always, else ~/.netrc would win

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._session.close()

    def get(self, path: str, **query: Any) -> Any:
        """The JSON at a path."""
        with self._answer("GET", path, params=query) as response:
            return response.json()

    def post(self, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None) -> Any:
        """What the API answers to a JSON body; None for 204."""
        sent = {} if body is None else body
        with self._answer("POST", path, json=sent, headers=headers) as response:
            return response.json() if response.content else None

    def patch(self, path: str, body: Any) -> Any:
        """What is at a path after a change."""
        with self._answer("PATCH", path, json=body) as response:
            return response.json()

    def put(self, path: str, body: Any) -> Any:
        """What the API answers to a JSON body."""
        with self._answer("PUT", path, json=body) as response:
            return response.json()

    def delete(self, path: str, **query: Any) -> Any:
        """Remove what is at a path; what the API answers, None for 204."""
        with self._answer("DELETE", path, params=query) as response:
            return response.json() if response.content else None

    def events(self, job_id: str, last_id: str = "") -> Iterator[ServerEvent]:
        """The job's event stream, until the server closes it."""
        headers = {"Accept": "text/event-stream"}
        if last_id:
            headers["Last-Event-ID"] = last_id
        path = f"/jobs/{job_id}/events"
        with self._answer(
            "GET", path, headers=headers, stream=True, timeout=(CONNECT_S, STREAM_SILENCE_S)
        ) as response:
            if response.status_code == requests.codes.ok:
                yield from parse_events(response.iter_lines(chunk_size=None, decode_unicode=True))

    @contextmanager
    def download(self, path: str, headers: dict[str, str]) -> Iterator[requests.Response]:
        """An unread answer; 416 (nothing left to send) is not an error here."""
        with self._answer("GET", path, headers=headers, stream=True, accepted={416}) as response:
            yield response

    @contextmanager
    def _answer(
        self, method: str, path: str, *, accepted: set[int] | None = None, **options: Any
    ) -> Iterator[requests.Response]:
        url = self.url + (path if path.startswith("/api/") else API_PATH + path)
        options.setdefault("timeout", (CONNECT_S, self._read_s))
        try:
            with self._sent(method, url, options) as response:
                if response.status_code >= ERRORS_FROM and response.status_code not in (
                    accepted or set()
                ):
                    raise _refusal(response)
                yield response
        except requests.RequestException as exc:
            raise _unreachable(self.url, exc) from exc

    def _sent(self, method: str, url: str, options: dict[str, Any]) -> requests.Response:
        response = self._session.request(method, url, **options)
        if self._account.refresh_token and _is_over(response) and self._renew():
            response.close()
            return self._session.request(method, url, **options)
        return response

    def _renew(self) -> bool:
        """Whether there is a fresh token, be it that another process renewed the account."""
        with alone():
            kept = kept_account()
            if kept is None or kept.url != self.url:
                return False
            if kept.token == self._account.token:
                answer = self._session.post(
                    f"{self.url}{API_PATH}/auth/refresh",
                    json={"refresh_token": kept.refresh_token},
                    auth=_Bearer(""),
                    timeout=(CONNECT_S, self._read_s),
                )
                if not answer.ok:
                    return False
                kept = kept.signed_in(answer.json())
                keep(kept)
        self._account, self._session.auth = kept, _Bearer(kept.token)
        return True


class _Bearer(requests.auth.AuthBase):
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def connect(*, read_s: float = READ_S) -> Api:
    """The API for the current account."""
    return Api(current_account(), read_s=read_s)


def _is_over(response: requests.Response) -> bool:
    if response.status_code != requests.codes.unauthorized:
        return False
    return bool(_refusal(response).details["code"] == ErrorCode.TOKEN_EXPIRED)


def _unreachable(url: str, error: requests.RequestException) -> ApiUnreachable:
    if isinstance(error, requests.JSONDecodeError):
        return ApiUnreachable(f"What answers at {url} is not Stellwerk. Check STELLWERK_URL.")
    if isinstance(error, requests.Timeout):
        return ApiUnreachable(f"{url} does not answer in time.")
    return ApiUnreachable(
        f"Nothing answers at {url}. Start it with `stellwerk up`, or set STELLWERK_URL."
    )


def _refusal(response: requests.Response) -> ApiRefused:
    try:
        error = response.json()["error"]
        code, message, details = error["code"], error["message"], error.get("details", {})
    except (ValueError, KeyError, TypeError):
        code, message, details = "", f"{response.status_code} {response.reason}", {}
    errors = [
        FieldError(str(item.get("field", "")), str(item.get("reason", "")))
        for item in details.get("errors", [])
    ]
    if response.status_code == requests.codes.unauthorized:
        message += " Run `stellwerk login`, or set STELLWERK_TOKEN."
    return ApiRefused(
        f"{code}: {message}" if code else message,
        errors=errors,
        details={**details, "status": response.status_code, "code": code},
    )
