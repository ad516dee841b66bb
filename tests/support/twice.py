"""Sends every wake-up a second time, a moment after the first, as a broker may."""

import ast
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from threading import Event

import redis
from redis.client import Monitor

from celeryconfig import QUEUES
from stellwerk.broker.calls import LIST_TASK

LOOK_EVERY_S = 0.1
_ARGUMENT = re.compile(rb'"(?:[^"\\]|\\.)*"')  # of a line that MONITOR writes (redis.io)


@dataclass(slots=True)
class Twice:
    """What was repeated so far."""

    url: str
    messages: int = 0
    lists: int = 0
    _seen: set[bytes] = field(default_factory=set)
    _watching: Event = field(default_factory=Event)
    _stopping: Event = field(default_factory=Event)

    def run(self) -> None:
        """Listen to all that Redis is told until stopped."""
        with closing(redis.Redis.from_url(self.url)) as client:
            monitor = client.monitor()  # type: ignore[no-untyped-call]  # redis has no types for it
            with monitor:
                self._watching.set()
                while not self._stopping.is_set():
                    self._look(client, monitor)

    def wait(self) -> None:
        """Until it sees everything."""
        assert self._watching.wait(60)

    def stop(self) -> None:
        """Repeat nothing from now on."""
        self._stopping.set()

    def _look(self, client: "redis.Redis", monitor: Monitor) -> None:
        if monitor.connection.can_read(timeout=LOOK_EVERY_S):
            line: bytes = monitor.connection.read_response()
            self._repeat(
                client, [ast.literal_eval(f"b{found.decode()}") for found in arguments(line)]
            )

    def _repeat(self, client: "redis.Redis", command: list[bytes]) -> None:
        if len(command) != 3 or command[0].upper() != b"LPUSH":
            return
        _, queue, message = command
        if queue.decode() in QUEUES and message not in self._seen:
            self._seen.add(message)
            self.messages += 1
            self.lists += LIST_TASK.encode() in message
            client.lpush(queue, message)


@contextmanager
def everything_twice(url: str) -> Iterator[Twice]:
    """For the block, whatever is pushed to a worker's queue is pushed again."""
    twice = Twice(url)
    with ThreadPoolExecutor(1, "twice") as pool:
        running = pool.submit(twice.run)
        try:
            twice.wait()
            yield twice
        finally:
            twice.stop()
            running.result()  # raises what ended it early


def arguments(line: bytes) -> list[bytes]:
    """The quoted words of a line."""
    return _ARGUMENT.findall(line)
