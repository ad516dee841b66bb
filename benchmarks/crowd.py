"""Many WebSocket clients in a few processes, as cheap as they can be: they share our two cores.

A client library would take more of them than the servers that are measured.
"""

import asyncio
import base64
import json
import multiprocessing
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any
from urllib.parse import urlsplit

PROCESSES = 2
CONNECTING_AT_ONCE = 50
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10  # opcodes
FINAL, OPCODE, MASKED = 128, 15, 128  # bits of the first two bytes
TWO_BYTES = 126  # in place of a length: it follows in two bytes
HEAD_BYTES = 2
_KEY = base64.b64encode(bytes(16)).decode()


@dataclass(frozen=True, slots=True)
class Wanted:
    """Where to connect, and what each client says one by one, after an answer to the last.

    The client is ready after `answers` messages.
    """

    url: str
    says: tuple[str, ...] = ()
    answers: int = 0


class Crowd:
    """Connected clients; `heard` waits until each has had one more message."""

    def __init__(self, pipes: Sequence["Connection[Any, Any]"]) -> None:
        self._pipes = pipes

    def heard(self) -> float:
        """When the last client had it (monotonic)."""
        return max(float(pipe.recv()) for pipe in self._pipes)


@contextmanager
def connected(wanted: Wanted, clients: int) -> Iterator[Crowd]:
    """All clients connected and ready, until the block ends."""
    context = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    for number in range(PROCESSES):
        share = clients // PROCESSES + (number < clients % PROCESSES)
        here, there = context.Pipe()
        process = context.Process(target=_run, args=(wanted, share, there), daemon=True)
        process.start()
        there.close()
        pipes.append(here)
        processes.append(process)
    try:
        crowd = Crowd(pipes)
        crowd.heard()  # ready
        yield crowd
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _run(wanted: Wanted, clients: int, pipe: "Connection[Any, Any]") -> None:
    asyncio.run(_hold(wanted, clients, pipe))


async def _hold(wanted: Wanted, clients: int, pipe: "Connection[Any, Any]") -> None:
    turns = asyncio.Semaphore(CONNECTING_AT_ONCE)
    heard = _Count(clients, lambda: pipe.send(time.monotonic()))
    loop = asyncio.get_running_loop()
    parts = urlsplit(wanted.url)
    host, port = str(parts.hostname), int(parts.port or 80)

    async def connect() -> None:
        async with turns:
            ready = loop.create_future()
            await loop.create_connection(
                lambda: _Client(wanted, parts.path, ready, heard.one), host, port
            )
            await ready

    await asyncio.gather(*(connect() for _ in range(clients)))
    pipe.send(time.monotonic())
    await asyncio.Event().wait()


class _Count:
    """Reports each time that everybody has heard."""

    def __init__(self, everybody: int, report: Callable[[], None]) -> None:
        self._everybody = everybody
        self._report = report
        self._heard = 0

    def one(self) -> None:
        self._heard += 1
        if self._heard == self._everybody:
            self._heard = 0
            self._report()


class _Client(asyncio.Protocol):
    """Just enough of RFC 6455 for unfragmented frames."""

    def __init__(
        self, wanted: Wanted, path: str, ready: "asyncio.Future[None]", heard: Callable[[], None]
    ) -> None:
        self._wanted = wanted
        self._path = path
        self._ready = ready
        self._heard = heard
        self._buffer = b""
        self._is_open = False
        self._answers = 0
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  asyncio's promise
        self._transport = transport
        head = (
            f"GET {self._path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\n"
            f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {_KEY}\r\n\r\n"
        )
        transport.write(head.encode())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._is_open:
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            self._is_open, self._buffer = True, rest
            self._fail_unless(head.startswith(b"HTTP/1.1 101 "), head)
            self._go_on()
        while (frame := _frame(self._buffer)) is not None:
            opcode, payload, size = frame
            self._buffer = self._buffer[size:]
            self._take(opcode, payload)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail_unless(self._ready.done(), f"hung up: {exc}".encode())

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == PING:
            self._send(PONG, payload)
        elif opcode == TEXT and self._ready.done():
            self._heard()
        elif opcode == TEXT:
            self._fail_unless(json.loads(payload).get("type") != "error", payload)
            self._answers += 1
            self._go_on()
        else:
            self._fail_unless(opcode != CLOSE, payload)

    def _go_on(self) -> None:
        if self._answers < len(self._wanted.says):
            self._send(TEXT, self._wanted.says[self._answers].encode())
        if self._answers == self._wanted.answers and not self._ready.done():
            self._ready.set_result(None)

    def _send(self, opcode: int, payload: bytes) -> None:
        """Send a frame, masked with zeros."""
        self._transport.write(_head(opcode, len(payload)) + bytes(4) + payload)

    def _fail_unless(self, is_right: object, said: bytes) -> None:
        if not is_right and not self._ready.done():
            self._ready.set_exception(RuntimeError(said.decode(errors="replace")))


def _head(opcode: int, length: int) -> bytes:
    """The head of a client's frame (RFC 6455, 5.2)."""
    if length < TWO_BYTES:
        return bytes([FINAL | opcode, MASKED | length])
    return bytes([FINAL | opcode, MASKED | TWO_BYTES]) + struct.pack("!H", length)


def _frame(data: bytes) -> tuple[int, bytes, int] | None:
    """Opcode, payload and size on the wire of the first frame; None where it is not whole."""
    if len(data) < HEAD_BYTES:
        return None
    length, start = data[1], HEAD_BYTES
    if length == TWO_BYTES:
        length, start = int.from_bytes(data[2:4]), 4
    if len(data) < start + length:
        return None
    return data[0] & OPCODE, data[start : start + length], start + length
