"""The WebSocket of the API: one connection for many jobs (RFC 6455; docs/realtime.md)."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from starlette.types import Receive, Scope, Send

from stellwerk.errors import ErrorCode
from stellwerk_api.realtime.messages import CloseCode
from stellwerk_api.realtime.metrics import count_error
from stellwerk_api.realtime.peer import House, Peer

PATHS = frozenset({"/api/v1/ws", "/ws"})

log = structlog.get_logger()


class Sockets:
    """Every socket of this process."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._open: set[Peer] = set()

    def __len__(self) -> int:
        return len(self._open)

    @property
    def known(self) -> int:
        """Sockets of whom we know whose they are."""
        return sum(peer.user_id > 0 for peer in self._open)

    @property
    def channels(self) -> int:
        """Subscriptions of all sockets."""
        return sum(peer.channels for peer in self._open)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a connection until it is closed; elsewhere than at PATHS it is refused."""
        await receive()  # the connection itself
        if scope["path"] not in PATHS:
            await send({"type": "websocket.close"})
            return
        peer = Peer(self._house, scope, receive, send)
        await send({"type": "websocket.accept"})
        if len(self._open) >= self._house.sockets_max:
            peer.close(CloseCode.TRY_LATER, ErrorCode.UNAVAILABLE)
        with self._present(peer):
            await peer.serve()

    def sweep(self) -> None:
        """Close those that never say who they are, and those that take nothing."""
        now = time.monotonic()
        for peer in tuple(self._open):
            peer.sweep(now)

    @contextmanager
    def _present(self, peer: Peer) -> Iterator[None]:
        self._open.add(peer)
        try:
            yield
        except Exception:
            count_error(ErrorCode.INTERNAL_ERROR)
            log.exception("socket failed")
            peer.close(CloseCode.INTERNAL, ErrorCode.INTERNAL_ERROR)
        finally:
            self._open.remove(peer)
            peer.leave()
            log.info("socket closed", **peer.history())
