"""urllib3's pools, with connections that a guard opens. TLS and the Host header keep the name."""

import socket
import ssl
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util import Url

from stellwerk.providers.outbound.guard import Guard
from stellwerk.providers.outbound.targets import port_of


class _Connection(HTTPConnection):
    guard: Guard

    def _new_conn(self) -> socket.socket:
        return self.guard.connect(self._dns_host, self.port)


class _TlsConnection(HTTPSConnection):
    guard: Guard

    def _new_conn(self) -> socket.socket:
        return self.guard.connect(self._dns_host, self.port)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection
    guard: Guard

    def _new_conn(self) -> Any:
        connection = super()._new_conn()
        connection.guard = self.guard  # type: ignore[attr-defined]  # a _Connection
        return connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection
    guard: Guard

    def _new_conn(self) -> Any:
        connection = super()._new_conn()
        connection.guard = self.guard  # type: ignore[attr-defined]  # a _TlsConnection
        return connection


def guarded_pool(url: Url, guard: Guard, trust: ssl.SSLContext) -> HTTPConnectionPool:
    """urllib3's pool for one URL, whose connections the guard opens."""
    pool: _Pool | _TlsPool
    if url.scheme == "https":
        pool = _TlsPool(url.host or "", port_of(url), ssl_context=trust)
    else:
        pool = _Pool(url.host or "", port_of(url))
    pool.guard = guard
    return pool
