"""Who a request comes from, where proxies stand between.

What proxies say (`X-Forwarded-For`, `X-Forwarded-Proto`) is believed where it comes from our edge
and for as long as it names proxies that we trust; whoever else sends such headers is the client.
"""

import hmac
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, TypeAlias

from pydantic import IPvAnyNetwork

from stellwerk.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

EDGE_TOKEN = "X-Edge-Token"  # noqa: S105  the header's name
REMEMBERED = 4096

_TOKEN = "HTTP_X_EDGE_TOKEN"  # noqa: S105  the same, in the environment
_FOR = "HTTP_X_FORWARDED_FOR"
_PROTO = "HTTP_X_FORWARDED_PROTO"

Networks: TypeAlias = tuple[IPvAnyNetwork, ...]
Address: TypeAlias = IPv4Address | IPv6Address


class Forwarded:
    """WSGI middleware before all others: sets REMOTE_ADDR and the scheme to the client's."""

    def __init__(self, app: "WSGIApplication", settings: Settings) -> None:
        self._app = app
        self._token = settings.edge_token.get_secret_value()
        self._origin = lru_cache(REMEMBERED)(
            Origins(settings.edge_networks, settings.trusted_proxies).of
        )

    def __call__(self, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        """Let the application answer."""
        given = environ.pop(_TOKEN, "")
        chain = environ.get(_FOR, "")
        if chain and self._is_edge(given):
            peer = environ.get("REMOTE_ADDR", "")
            client = self._origin(peer, chain)
            if client:
                environ["REMOTE_ADDR"] = client
                environ["wsgi.url_scheme"] = _scheme(environ.get(_PROTO, ""))
        return self._app(environ, start)

    def _is_edge(self, given: str) -> bool:
        return not self._token or hmac.compare_digest(given.encode(), self._token.encode())


class Origins:
    """Finds the client in a chain of addresses, each added by the next."""

    def __init__(self, edges: Networks, proxies: Networks) -> None:
        self._edges = edges
        self._proxies = proxies

    def of(self, peer: str, chain: str) -> str | None:
        """The client's address; None where the peer is not our edge, or names none."""
        if not _is_in(_address(peer), self._edges):
            return None
        client = None
        for given in reversed(chain.split(",")):
            address = _address(given)
            if address is None:
                break
            client = str(address)
            if not _is_in(address, self._proxies):
                break
        return client


def _scheme(forwarded: str) -> str:
    return "https" if forwarded.strip().lower() == "https" else "http"


def _is_in(address: Address | None, networks: Networks) -> bool:
    return address is not None and any(address in network for network in networks)


def _address(text: str) -> Address | None:
    """An address, an IPv4 one in its usual form, without a port or a zone."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found
