"""The one client for URLs that users choose: public addresses only, no redirects, bounded."""

import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import certifi

from stellwerk.providers.outbound.addresses import AddressRules, parsed
from stellwerk.providers.outbound.guard import Dial, Guard, Resolver, resolve
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
        from stellwerk.providers.outbound.posting import posted  # noqa: PLC0415  slow to import

        target = self.targets.checked(url).url
        started = time.monotonic()
        with (
            Guard(self._addresses, timeout_s, resolver=self._resolver, dial=self._dial) as guard,
            posted(guard, self._trust, target, body, headers, timeout_s) as response,
        ):
            read = response.raw.read(read_bytes) if read_bytes else b""
            took_ms = round(1000 * (time.monotonic() - started))
            if guard.is_expired:  # what was cut off may look as if it had ended
                raise TimeoutError
            return Answer(response.status_code, response.headers, read, took_ms)

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        """Made once: reading the certificates takes longer than most calls."""
        return ssl.create_default_context(cafile=str(self._ca_file or certifi.where()))
