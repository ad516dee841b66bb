"""A TCP relay in front of a server, which loses the server's answer to a chosen request."""

import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event, Thread

CHUNK_BYTES = 65_536
LOOK_EVERY_S = 0.05


@dataclass(slots=True)
class Relay:
    """Hands everything on, until it is told to lose an answer."""

    target: tuple[str, int]
    listener: socket.socket
    lost: int = 0  # answers
    _request: bytes = b""  # what the next request to lose the answer of contains
    _stopping: Event = field(default_factory=Event)

    @property
    def port(self) -> int:
        """Where it listens, on loopback."""
        return int(self.listener.getsockname()[1])

    def lose_answer_to(self, request: bytes) -> None:
        """Carry the next request that contains this to the server, and end there."""
        self._request = request

    def run(self) -> None:
        """Take connections until stopped."""
        while not self._stopping.is_set():
            if _readable([self.listener]):
                client, _ = self.listener.accept()
                Thread(target=self._carry, args=(client,), daemon=True).start()

    def stop(self) -> None:
        """End the connections too."""
        self._stopping.set()

    def _carry(self, client: socket.socket) -> None:
        with suppress(OSError), client, socket.create_connection(self.target) as server:
            while not self._stopping.is_set():
                for source in _readable([client, server]):
                    data = source.recv(CHUNK_BYTES)
                    if not data or (source is client and self._loses(data, server)):
                        return
                    (server if source is client else client).sendall(data)

    def _loses(self, data: bytes, server: socket.socket) -> bool:
        """Whether this was it: then the server has answered, and nobody hears of it."""
        if not self._request or self._request not in data:
            return False
        self._request = b""
        server.sendall(data)
        self.lost += bool(server.recv(CHUNK_BYTES))
        return True


@contextmanager
def relayed(host: str, port: int) -> Iterator[Relay]:
    """A relay to that address, for the block."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        relay = Relay((host, port), listener)
        thread = Thread(target=relay.run, daemon=True)
        thread.start()
        try:
            yield relay
        finally:
            relay.stop()
            thread.join()


def _readable(sources: list[socket.socket]) -> list[socket.socket]:
    return select.select(sources, [], [], LOOK_EVERY_S)[0]
