"""The one client for URLs that users choose: public addresses only, no redirects, bounded."""

import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import certifi
import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidHeader, InvalidURL, SSLError
from urllib3 import HTTPConnectionPool
from urllib3.exceptions import HTTPError

from stellwerk.errors import ProviderError, ProviderUnavailable
from stellwerk.providers.outbound.addresses import AddressRules, parsed
from stellwerk.providers.outbound.connections import Dial, Guard, Resolver, guarded_pool, resolve
from stellwerk.providers.outbound.targets import TargetRules, refused


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `body` is cut at the number of bytes asked for."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    duration_ms: int


class OutboundClient:
    """Any number of threads may use it; it keeps no connection open."""

    def __init__(
        self,
        addresses: AddressRules,
        targets: TargetRules,
        *,
        resolver: Resolver = resolve,
        dial: Dial = socket.create_connection,
        ca_file: Path | None = None,
    ) -> None:
        self.targets = targets
        self._addresses = addresses
        self._resolver = resolver
        self._dial = dial
        self._ca_file = ca_file

    def check(self, url: str) -> None:
        """Raise ProviderRejected (TARGET_NOT_ALLOWED) for what will never be called.

        A name is not resolved for that: where it leads is looked at by each call.
        """
        host = (self.targets.checked(url).host or "").strip("[]")
        with suppress(ValueError):  # a name
            if not self._addresses.permits(parsed(host)):
                raise refused("The URL leads to an address that may not be called.")

    def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        timeout_s: float,
        read_bytes: int = 0,
    ) -> Answer:
        """Send it and read at most `read_bytes` of the answer, all within `timeout_s`.

        Raises ProviderRejected (TARGET_NOT_ALLOWED) before anything is connected to, and
        ProviderUnavailable where no answer came. Any status is an answer, a redirect too.
        """
        target = self.targets.checked(url).url
        started = time.monotonic()
        with (
            Guard(self._addresses, timeout_s, resolver=self._resolver, dial=self._dial) as guard,
            self._session(guard) as session,
            _explained(guard, timeout_s),
            _sent(session, target, body, headers, timeout_s=timeout_s) as response,
        ):
            read = response.raw.read(read_bytes) if read_bytes else b""
            took_ms = round(1000 * (time.monotonic() - started))
            if guard.is_expired:  # what was cut off may look as if it had ended
                raise TimeoutError
            return Answer(response.status_code, response.headers, read, took_ms)

    def _session(self, guard: Guard) -> requests.Session:
        session = requests.Session()
        session.trust_env = False  # no proxies, no ~/.netrc, no other certificates
        adapter = _Adapter(guard, self._trust)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        return session

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        """Made once: reading the certificates takes longer than most calls."""
        return ssl.create_default_context(cafile=str(self._ca_file or certifi.where()))


class _Adapter(HTTPAdapter):
    def __init__(self, guard: Guard, trust: ssl.SSLContext) -> None:
        super().__init__(max_retries=0)
        self._guard = guard
        self._trust = trust

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, *_: Any, **__: Any
    ) -> HTTPConnectionPool:
        """A pool for this request alone."""
        target = TargetRules().checked(request.url or "")
        return guarded_pool(target, self._guard, self._trust)

    def cert_verify(self, *_: Any, **__: Any) -> None:
        """The context verifies already; requests would read the certificates again."""


def _sent(
    session: requests.Session,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    timeout_s: float,
) -> requests.Response:
    plain = {"Accept-Encoding": "identity", "Connection": "close", **headers}
    return session.post(
        url, data=body, headers=plain, timeout=timeout_s, allow_redirects=False, stream=True
    )


@contextmanager
def _explained(guard: Guard, timeout_s: float) -> Iterator[None]:
    """Errors of the network and its libraries become ours."""
    try:
        yield
    except (requests.RequestException, HTTPError, OSError) as exc:
        raise _failure(exc, guard, timeout_s) from exc


def _failure(exc: Exception, guard: Guard, timeout_s: float) -> ProviderError:
    """Why there is no answer, without what the network's libraries say about our side."""
    if isinstance(exc, InvalidURL | InvalidHeader):
        return refused("This is not a URL that can be called.")
    if guard.is_expired or isinstance(exc, requests.Timeout):
        return ProviderUnavailable(f"There was no answer within {timeout_s:g} s.")
    if isinstance(exc, SSLError):
        return ProviderUnavailable("The TLS connection failed; check the certificate.")
    return ProviderUnavailable("The connection failed or was closed without an answer.")
