"""New code is taken into use below the same process, and clients notice nothing but the code."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import psutil
import pytest

from embedded import wait_until
from stellwerk.settings import environment
from stellwerk.stack.ports import free_port

CLIENTS = 4
CODE = """
import os
import time

if VERSION == "broken":
    raise ValueError("this code does not start")


def create():
    return answer


def answer(environ, start_response):
    said = VERSION.encode()
    environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", str(len(said)))])
    return [said]
"""


@dataclass
class Web:
    """The server in front of an application of a few lines."""

    process: "subprocess.Popen[bytes]"
    port: int
    folder: Path

    def deploy(self, version: str) -> None:
        """Put other code where the present one lies, and say so."""
        write(self.folder, version)
        os.kill(self.process.pid, signal.SIGHUP)

    def log(self) -> str:
        return (self.folder / "log").read_text()


@dataclass
class Clients:
    """They send one POST after another, which nobody in between may repeat, and keep connections.

    As the edge does: what the server closes after an answer is opened anew, what it closes before
    one is a failure.
    """

    port: int
    failures: list[str] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._go_on) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.stop.set()
            for thread in threads:
                thread.join()

    def _go_on(self) -> None:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        while not self.stop.wait(0.002):
            try:
                connection.request("POST", "/", body=b"x" * 100)
                self.versions.append(connection.getresponse().read().decode())
            except (OSError, HTTPException) as exc:
                self.failures.append(repr(exc))
                connection.close()
        connection.close()


def write(folder: Path, version: str) -> None:
    fresh = folder / "fresh"
    fresh.write_text(f"VERSION = {version!r}\n{CODE}")
    fresh.replace(folder / "small.py")


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    write(tmp_path, "one")
    port = free_port()
    options = "--interface wsgi --factory --http 1 --no-ws --workers 2 --respawn-failed-workers"
    server = [sys.executable, "-m", "stellwerk_api.web", *options.split(), "--port", str(port)]
    command = [*server, "small:create"]
    env = {**environment(), "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603  our own module
            command, env=env, stdout=log, stderr=subprocess.STDOUT
        )
    made = Web(process, port, tmp_path)
    try:
        wait_until(lambda: made.log().count("Started worker") == 2)
        yield made
    finally:
        process.terminate()
        process.wait(60)


def test_new_code_is_taken_into_use_without_a_failed_request(web: Web) -> None:
    clients = Clients(web.port)
    with clients.at_work():
        web.deploy("two")
        wait_until(lambda: web.log().count("Stopped worker") == 2)
        seen = len(clients.versions)
        wait_until(lambda: len(clients.versions) > seen + 100)
    assert clients.failures == []
    assert set(clients.versions) == {"one", "two"}
    assert set(clients.versions[seen + CLIENTS :]) == {"two"}


def test_code_that_does_not_start_is_not_taken_into_use(web: Web) -> None:
    clients = Clients(web.port)
    with clients.at_work():
        web.deploy("broken")
        wait_until(lambda: "the former go on" in web.log())
        seen = len(clients.versions)
        wait_until(lambda: len(clients.versions) > seen + 100)
    assert clients.failures == []
    assert set(clients.versions) == {"one"}
    assert "this code does not start" in web.log()


def test_a_worker_that_dies_has_a_successor(web: Web) -> None:
    first, _ = psutil.Process(web.process.pid).children()
    first.kill()
    wait_until(lambda: web.log().count("Started worker") == 3)
    clients = Clients(web.port)
    with clients.at_work():
        wait_until(lambda: len(clients.versions) > 100)
    assert clients.failures == []
