"""A client that goes on submitting while something is broken.

One that asks again does as those must that may not lose a job: each request has an
Idempotency-Key, and is sent again until it is answered with 202. Any other has no patience: each
body goes out twice, with a key and plainly, and what is accepted is polled; all of it has to be
answered the first time.
"""

import time
from collections.abc import Iterable
from secrets import token_hex
from threading import Event, Thread
from types import TracebackType
from typing import Any, Self

import requests

from full_stack import Client

EVERY_S = 0.1
PATIENCE_S = 60.0
# Its key is in use by a request under way; nobody behind the proxy; the ledger is away
PASSING = {409, 502, 503, 504}
BODIES: list[dict[str, Any]] = [
    {"operation": "diagnostics.effect", "payload": {"kind": "idempotent"}},
    {"operation": "diagnostics.echo", "payload": {"message": "again"}},
    {"operation": "diagnostics.effect", "payload": {"kind": "probe"}},
    {"operation": "diagnostics.echo", "payload": {}},
]


class Stream:
    """Submits on a thread of its own until its block ends; all its jobs have one tag."""

    def __init__(self, client: Client, *, asks_again: bool = False) -> None:
        self.tag = f"stream-{token_hex(6)}"
        self.accepted: dict[str, str] = {}  # by key, in the order in which they were sent
        self.plain: list[str] = []  # without a key, in that order
        self.sent_again = 0
        self.client = Client(client.url)
        self.client.session.headers.update(client.session.headers)
        self._asks_again = asks_again
        self._fault: BaseException | None = None
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="stream")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._thread.join()
        if self._fault and exc is None:
            raise self._fault

    def has(self, number: int) -> bool:
        """Whether so many were accepted with a key; raises what stopped it."""
        if self._fault:
            raise self._fault
        return len(self.accepted) >= number

    def ask_again(self) -> dict[str, str]:
        """What every key is answered with now."""
        keys = enumerate(self.accepted)
        return {key: self._keyed(key, number) for number, key in keys}

    def jobs(self) -> list[str]:
        """All that were accepted."""
        return [*self.accepted.values(), *self.plain]

    def effects(self) -> list[str]:
        """The jobs that do something."""
        return [*_effects(self.accepted.values()), *_effects(self.plain)]

    def _run(self) -> None:
        try:
            while not self._stopping.wait(EVERY_S):
                self._turn()
        except BaseException as exc:  # noqa: BLE001  raised where the block ends
            self._fault = exc

    def _turn(self) -> None:
        key, number = token_hex(12), len(self.accepted)
        self.accepted[key] = self._keyed(key, number)
        if self._asks_again:
            return
        answer = self.client.expect(202, "POST", "/jobs", json=self._body(number))
        self.plain.append(str(answer["job_id"]))
        for job_id in (self.accepted[key], self.plain[-1]):
            self.client.job(job_id)

    def _keyed(self, key: str, number: int) -> str:
        deadline = time.monotonic() + PATIENCE_S
        while (answer := self._ask(key, self._body(number))) is None:
            assert time.monotonic() < deadline, f"not accepted within {PATIENCE_S:g} s"
            self.sent_again += 1
            time.sleep(EVERY_S)
        return answer

    def _ask(self, key: str, body: dict[str, Any]) -> str | None:
        """The job's id; None where it has to be asked for once more."""
        headers = {"Idempotency-Key": key}
        try:
            answer = self.client.request("POST", "/jobs", json=body, headers=headers)
        except requests.ConnectionError:
            if not self._asks_again:
                raise
            return None
        if self._asks_again and answer.status_code in PASSING:
            return None
        assert answer.status_code == 202, (answer.status_code, answer.text)
        return str(answer.json()["job_id"])

    def _body(self, number: int) -> dict[str, Any]:
        return {**BODIES[number % len(BODIES)], "tags": [self.tag]}


def _effects(jobs: Iterable[str]) -> list[str]:
    wanted = [body["operation"] == "diagnostics.effect" for body in BODIES]
    return [job for number, job in enumerate(jobs) if wanted[number % len(BODIES)]]
