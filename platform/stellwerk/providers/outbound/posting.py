"""One POST request by requests and urllib3, over a connection that a guard opens."""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidHeader, InvalidURL, SSLError
from urllib3 import HTTPConnectionPool
from urllib3.exceptions import HTTPError

from stellwerk.errors import ProviderError, ProviderUnavailable
from stellwerk.providers.outbound.connections import guarded_pool
from stellwerk.providers.outbound.guard import Guard
from stellwerk.providers.outbound.targets import TargetRules, refused


@contextmanager
def posted(
    guard: Guard,
    trust: ssl.SSLContext,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    timeout_s: float,
) -> Iterator[requests.Response]:
    """The answer, unread; raises ProviderRejected and ProviderUnavailable, in the block as well."""
    plain = {"Accept-Encoding": "identity", "Connection": "close", **headers}
    with (
        _session(guard, trust) as session,
        _explained(guard, timeout_s),
        session.post(
            url, data=body, headers=plain, timeout=timeout_s, allow_redirects=False, stream=True
        ) as response,
    ):
        yield response


def _session(guard: Guard, trust: ssl.SSLContext) -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # no proxies, no ~/.netrc, no other certificates
    adapter = _Adapter(guard, trust)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


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
