"""One GET over TLS, to any address, with a limit for each read and one for all of the answer."""

import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import SSLError
from urllib3 import HTTPConnectionPool
from urllib3.exceptions import HTTPError, ReadTimeoutError

from stellwerk.errors import ProviderUnavailable
from stellwerk.providers.outbound.addresses import AddressRules
from stellwerk.providers.outbound.connections import guarded_pool
from stellwerk.providers.outbound.guard import Guard, resolve
from stellwerk.providers.outbound.targets import TargetRules

EVERYWHERE = AddressRules((ip_network("0.0.0.0/0"), ip_network("::/0")))


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds: for each read, and for the whole answer."""

    read_s: float
    whole_s: float


class Answer:
    """A response whose body has not been read; it is as it came, however it is encoded."""

    def __init__(self, response: requests.Response, guard: Guard, limits: Limits) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self._raw = response.raw
        self._guard = guard
        self._limits = limits

    def read(self, amount: int, /) -> bytes:
        """The next bytes; raises ProviderUnavailable, also for a body that was cut off."""
        try:
            part: bytes = self._raw.read(amount)
        except (HTTPError, OSError) as exc:
            raise _failure(exc, self._guard, self._limits) from exc
        if self._guard.is_expired:  # what was cut off may look as if it had ended
            raise _too_late(self._limits)
        return part


@contextmanager
def asked(
    url: str, headers: Mapping[str, str], trust: ssl.SSLContext, limits: Limits
) -> Iterator[Answer]:
    """What the server answers, whatever its status; raises ProviderUnavailable for no answer."""
    with _Deadline(limits) as guard, _session(guard, trust) as session:
        try:
            response = session.get(
                url,
                headers={"Accept-Encoding": "identity", "Connection": "close", **headers},
                timeout=min(limits.read_s, limits.whole_s),
                allow_redirects=False,
                stream=True,
            )
        except (requests.RequestException, HTTPError, OSError) as exc:
            raise _failure(exc, guard, limits) from exc
        with response:
            yield Answer(response, guard, limits)


class _Deadline(Guard):
    """The guard of requests to users' URLs, without its rules: operators chose these."""

    def __init__(self, limits: Limits) -> None:
        dial = socket.create_connection
        super().__init__(EVERYWHERE, limits.whole_s, resolver=resolve, dial=dial)
        self._read_s = limits.read_s

    def connect(self, host: str, port: int) -> socket.socket:
        """A connection that has as long for each part of TLS's beginnings as for each read."""
        connection = super().connect(host, port)
        connection.settimeout(min(self._read_s, self.left_s))
        return connection


class _Adapter(HTTPAdapter):
    def __init__(self, guard: Guard, trust: ssl.SSLContext) -> None:
        super().__init__(max_retries=0)
        self._guard = guard
        self._trust = trust

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, *_: Any, **__: Any
    ) -> HTTPConnectionPool:
        """A pool for this request alone."""
        target = TargetRules(allow_http=False).checked(request.url or "")
        return guarded_pool(target, self._guard, self._trust)

    def cert_verify(self, *_: Any, **__: Any) -> None:
        """The context verifies already; requests would read the certificates again."""


def _session(guard: Guard, trust: ssl.SSLContext) -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # no proxies, no ~/.netrc, no other certificates
    session.mount("https://", _Adapter(guard, trust))
    return session


def _failure(exc: Exception, guard: Guard, limits: Limits) -> ProviderUnavailable:
    if guard.is_expired:
        return _too_late(limits)
    if isinstance(exc, requests.Timeout | ReadTimeoutError | TimeoutError):
        return ProviderUnavailable(f"The repository sent nothing for {limits.read_s:g} s.")
    if isinstance(exc, SSLError):
        return ProviderUnavailable(
            "The TLS connection to the repository failed; check its certificate."
        )
    return ProviderUnavailable("The connection to the repository failed, or was closed half-way.")


def _too_late(limits: Limits) -> ProviderUnavailable:
    return ProviderUnavailable(f"The repository did not answer within {limits.whole_s:g} s.")
