"""aimock, a third party's stand-in for OpenAI and ElevenLabs, run on Node with our fixtures.

See https://aimock.copilotkit.dev/fixtures for what a fixture may say.
"""

import json
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from embedded import wait_until
from npm_packages import installed, node
from stellwerk.settings import environment

START_LIMIT_S = 20.0
KEY = "key-that-aimock-knows"


@dataclass(frozen=True, slots=True)
class Aimock:
    """A running aimock."""

    url: str

    @property
    def openai_url(self) -> str:
        """Base URL for OpenAI's SDK."""
        return f"{self.url}/v1"

    def requests_to(self, path: str) -> list[dict[str, Any]]:
        """What was sent to `path`, oldest first."""
        answer = requests.get(f"{self.url}/__aimock/journal", headers=_authorised(), timeout=5)
        entries: list[dict[str, Any]] = answer.json()
        return [entry for entry in entries if entry["path"].startswith(path)]


@contextmanager
def running_aimock(folder: Path, fixtures: Sequence[Mapping[str, Any]]) -> Iterator[Aimock]:
    """Start aimock with `fixtures` on a free port of loopback and stop it at the end."""
    rules = folder / "fixtures.json"
    rules.write_text(json.dumps({"fixtures": list(fixtures)}))
    port = _free_port()
    program = installed("@copilotkit/aimock/dist/cli.js")
    with (folder / "aimock.log").open("w") as log:
        server = subprocess.Popen(  # noqa: S603  fixed arguments
            [str(node()), str(program), "-p", str(port), "-f", str(rules), "--strict"],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**environment(), "AIMOCK_API_KEYS": KEY},
        )
    try:
        _wait_until_it_answers(server, port, folder / "aimock.log")
        yield Aimock(f"http://127.0.0.1:{port}")
    finally:
        server.terminate()
        server.wait(10)


def _authorised() -> dict[str, str]:
    return {"Authorization": f"Bearer {KEY}"}


def _wait_until_it_answers(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    wait_until(lambda: server.poll() is not None or _listens(port), timeout_s=START_LIMIT_S)
    assert server.poll() is None, f"aimock did not start: {log.read_text()[-1000:]}"


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
