"""Opens connections to checked addresses only, and cuts them at a deadline.

The name is resolved, every address compared with the rules, and one of them connected to, in one
step: nobody resolves the name a second time. TLS and the Host header keep the name.
"""

import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Timer
from types import TracebackType
from typing import Self

from stellwerk.providers.outbound.addresses import AddressRules, parsed
from stellwerk.providers.outbound.targets import refused

CONNECT_S = 5.0  # for each address

Resolver = Callable[[str, int], Sequence[str]]
Dial = Callable[[tuple[str, int], float], socket.socket]  # address and port, and seconds for it


def resolve(host: str, port: int) -> list[str]:
    """The system's addresses of a name, in its order of preference; raises OSError."""
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Guard:
    """One call's way out: entered for its duration, it ends the connection at the deadline.

    A peer that sends a byte now and then never runs into a socket's own timeout, so a timer
    shuts the connection down.
    """

    def __init__(
        self, rules: AddressRules, timeout_s: float, *, resolver: Resolver, dial: Dial
    ) -> None:
        self._rules = rules
        self._resolver = resolver
        self._dial = dial
        self._deadline = time.monotonic() + timeout_s
        self._timer = Timer(timeout_s, self._cut)
        self._timer.daemon = True
        self._watched: list[socket.socket] = []
        self.is_expired = False

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        for connection in self._watched:
            connection.close()

    @property
    def left_s(self) -> float:
        """Seconds until the deadline; a little more than none."""
        return max(self._deadline - time.monotonic(), 0.01)

    def connect(self, host: str, port: int) -> socket.socket:
        """A connection to an address that may be called; raises ProviderRejected, OSError."""
        try:
            addresses = self._resolver(host, port)
        except UnicodeError as exc:
            raise refused("The URL's host is not a name.") from exc
        if not all(self._rules.permits(parsed(address)) for address in addresses):
            raise refused(f"{host} leads to an address that may not be called.")
        connection = self._first_to_answer(addresses, port)
        self._watched.append(connection.dup())  # TLS takes the original over
        connection.settimeout(self.left_s)
        return connection

    def _first_to_answer(self, addresses: Sequence[str], port: int) -> socket.socket:
        failure: OSError = ConnectionError("the name has no address")
        for address in addresses:
            try:
                return self._dial((address, port), min(CONNECT_S, self.left_s))
            except OSError as exc:
                failure = exc
        raise failure

    def _cut(self) -> None:
        self.is_expired = True
        for connection in self._watched:
            with suppress(OSError):  # it ended by itself
                connection.shutdown(socket.SHUT_RDWR)
