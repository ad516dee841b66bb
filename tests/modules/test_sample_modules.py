"""The modules that ship: packed as they stand, and well-behaved as services."""

import gzip
import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from embedded import wait_until
from stellwerk.providers.repositories.choice import repositories
from stellwerk.providers.repositories.index import parsed
from stellwerk.providers.repositories.packing import pack
from stellwerk.providers.repositories.protocol import Entry, Source, SourceKind
from stellwerk.settings import load_settings
from stellwerk.shipped import shipped
from stellwerk.stack.ports import free_port

NAMES = ("clock", "dashboard", "echo")
REPOSITORY = shipped("modules/repository/index.json").parent
SOURCE = Source(SourceKind.FILE, str(REPOSITORY))
ENDS_WITHIN_S = 15.0  # less than who only connected is read from


@dataclass(frozen=True, slots=True)
class Running:
    process: subprocess.Popen[str]
    port: int
    instance_id: str

    def ask(self, path: str, method: str = "GET", body: bytes = b"") -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with closing(connection):
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def json(self, path: str, method: str = "GET", body: bytes = b"") -> dict[str, Any]:
        status, content = self.ask(path, method, body)
        assert status == 200, content
        found: dict[str, Any] = json.loads(content)
        return found

    def end(self) -> float:
        """The seconds that it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=60) == 0
        return time.monotonic() - began

    @property
    def answers(self) -> bool:
        with suppress(OSError):
            return self.ask("/health")[0] == 200
        return False


@pytest.fixture(scope="module")
def entries() -> dict[str, Entry]:
    return {entry.name: entry for entry in parsed((REPOSITORY / "index.json").read_bytes()).entries}


@pytest.fixture(scope="module")
def releases(entries: dict[str, Entry], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each as it is installed: read, verified and unpacked."""
    reader, folder = repositories(load_settings()), tmp_path_factory.mktemp("releases")
    for entry in entries.values():
        archive = folder / entry.file
        reader.download(SOURCE, entry, archive, lambda _: None)
        reader.verify(SOURCE, entry, archive)
        reader.unpack(entry, archive, folder / entry.name, lambda _: None)
    return folder


@contextmanager
def running(entry: Entry, releases: Path) -> Iterator[Running]:
    port, instance_id = free_port(), "0123456789abcdef" * 2
    told = {"MODULE_NAME": entry.name, "MODULE_VERSION": entry.version, "INSTANCE_ID": instance_id}
    environment = {"HOST": "127.0.0.1", "PORT": str(port), "PATH": os.defpath, **told}
    with subprocess.Popen(  # noqa: S603  our own module
        entry.command,
        cwd=releases / entry.name,
        env=environment | {"PATH": f"/usr/local/bin:{os.defpath}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            found = Running(process, port, instance_id)
            wait_until(lambda: found.answers)
            yield found
        finally:
            process.kill()


@pytest.mark.parametrize("name", NAMES)
def test_the_repository_holds_what_the_modules_folders_hold(
    name: str, entries: dict[str, Entry], tmp_path: Path
) -> None:
    packed = pack(shipped(f"modules/{name}/module.json").parent, tmp_path)
    known = entries[name]
    # Compression is another library's on other machines; what is in it is not.
    assert gzip.decompress(packed.path.read_bytes()) == gzip.decompress(
        (REPOSITORY / known.file).read_bytes()
    )
    about = {"sha256", "size"}
    assert {k: v for k, v in packed.entry.to_json().items() if k not in about} == {
        k: v for k, v in known.to_json().items() if k not in about
    }


def test_the_modules_serve_by_one_and_the_same_file() -> None:
    assert len({shipped(f"modules/{name}/serving.py").read_bytes() for name in NAMES}) == 1


def test_the_clock_tells_the_time_of_a_zone(entries: dict[str, Entry], releases: Path) -> None:
    with running(entries["clock"], releases) as clock:
        told = clock.json("/?zone=Europe/Zurich")
        assert abs(told["unix_ms"] / 1000 - time.time()) < 60
        assert told["utc"].endswith("Z")
        assert told["local"].endswith(("+01:00", "+02:00"))
        assert (told["module"], told["instance_id"]) == ("clock", clock.instance_id)
        assert clock.ask("/?zone=Nowhere/Land")[0] == 400
        assert clock.ask("/?zone=../../etc/passwd")[0] == 400
        assert clock.ask("/other")[0] == 404
        assert clock.end() < ENDS_WITHIN_S


def test_the_echo_answers_what_it_got(entries: dict[str, Entry], releases: Path) -> None:
    with running(entries["echo"], releases) as echo:
        told = echo.json("/a/b?x=1&x=2", "PUT", b"hello")
        assert (told["method"], told["path"], told["query"]) == ("PUT", "/a/b", {"x": ["1", "2"]})
        assert (told["body"], told["headers"]["content-length"]) == ("hello", "5")
        assert (told["version"], told["instance_id"]) == ("1.0.0", echo.instance_id)
        assert echo.json("/", "POST", b"\xff")["body_base64"] == "/w=="
        assert echo.ask("/", "POST", b"x" * (1024 * 1024 + 1))[0] == 413


def test_the_dashboard_is_one_page_that_names_its_instance(
    entries: dict[str, Entry], releases: Path
) -> None:
    assert entries["dashboard"].dependencies == ("clock>=1.0",)
    with running(entries["dashboard"], releases) as dashboard:
        status, page = dashboard.ask("/")
        assert (status, dashboard.instance_id.encode() in page) == (200, True)
        assert b"../clock/" in page
        assert b"http://" not in page
        assert b"https://" not in page
        assert dashboard.json("/instance")["instance_id"] == dashboard.instance_id


def test_what_was_begun_is_answered_after_sigterm_and_who_only_connected_is_not_waited_for(
    entries: dict[str, Entry], releases: Path
) -> None:
    with (
        running(entries["echo"], releases) as echo,
        socket.create_connection(("127.0.0.1", echo.port)) as begun,
        socket.create_connection(("127.0.0.1", echo.port)),
    ):
        begun.sendall(b"POST /late HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nla")
        wait_until(lambda: echo.answers)  # it has taken the connections before this one
        echo.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not echo.answers)
        begun.sendall(b"te")
        assert b'"body": "late"' in b"".join(iter(lambda: begun.recv(65536), b""))
        assert echo.process.wait(timeout=ENDS_WITHIN_S) == 0
