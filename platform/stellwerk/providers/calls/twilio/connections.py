"""Connections over which an order goes in time, or not at all.

A thread can not be stopped: one that was held up, by a slow name server or with its whole process,
would send its order when nobody reckons with it any more.
"""

from time import monotonic
from typing import Any

from requests.adapters import HTTPAdapter


class TooLate(Exception):
    """Its time was over before anything was sent."""


class PromptAdapter(HTTPAdapter):
    """Sends nothing over a connection that stands after `sent_by` only (of `monotonic`)."""

    def __init__(self, sent_by: float) -> None:
        super().__init__()
        self._sent_by = sent_by

    def get_connection_with_tls_context(self, *arguments: Any, **options: Any) -> Any:
        """As of requests, of connections that know their time."""
        pool: Any = super().get_connection_with_tls_context(*arguments, **options)
        pool.ConnectionCls = _prompt(pool.ConnectionCls, self._sent_by)
        return pool


def _prompt(kind: Any, sent_by: float) -> Any:
    def connect(connection: Any) -> None:
        kind.connect(connection)
        if monotonic() > sent_by:
            connection.close()
            raise TooLate

    return type("PromptConnection", (kind,), {"connect": connect})
