"""HTTP requests as they are sent, and one keep-alive connection that sends them one by one."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_LENGTH = b"content-length:"
_NO_BODY = frozenset({204, 304})


@dataclass(frozen=True, slots=True)
class Request:
    """`kind` groups requests in the results; `encoded` is what goes over the wire (RFC 9112)."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    kind: str = ""
    encoded: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        fields = {"Host": "127.0.0.1", **self.headers}
        if self.body:
            fields["Content-Length"] = str(len(self.body))
        lines = [f"{self.method} {self.path} HTTP/1.1", *(f"{n}: {v}" for n, v in fields.items())]
        encoded = "\r\n".join([*lines, "", ""]).encode() + self.body
        object.__setattr__(self, "encoded", encoded)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: bytes


class Connection:
    """Understands what the servers measured here send: bodies with a Content-Length, or none.

    A real HTTP library would take more of the two cores than the server at the other end.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def to(cls, url: str) -> "Connection":
        """Connect."""
        parts = urlsplit(url)
        return cls(*await asyncio.open_connection(parts.hostname, parts.port))

    async def send(self, encoded: bytes) -> Answer:
        """One request, answered."""
        self._writer.write(encoded)
        head = await self._reader.readuntil(b"\r\n\r\n")
        status, length = status_and_length(head)
        return Answer(status, await self._reader.readexactly(length))

    async def close(self) -> None:
        """Hang up."""
        self._writer.close()
        await self._writer.wait_closed()


def status_and_length(head: bytes) -> tuple[int, int]:
    """What the head of an answer says; raises ValueError where it tells no Content-Length."""
    status = int(head[9:12])
    if status in _NO_BODY:
        return status, 0
    at = head.lower().index(_LENGTH) + len(_LENGTH)
    return status, int(head[at : head.index(b"\r\n", at)])
