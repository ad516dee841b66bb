"""aimock, a third party's stand-in for OpenAI and ElevenLabs, run on Node with our fixtures.

See https://aimock.copilotkit.dev/fixtures for what a fixture may say.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from node_server import node_server

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
    arguments = ["-f", str(rules), "--strict"]
    env = {"AIMOCK_API_KEYS": KEY}
    with node_server("@copilotkit/aimock/dist/cli.js", arguments, folder, env=env) as port:
        yield Aimock(f"http://127.0.0.1:{port}")


def _authorised() -> dict[str, str]:
    return {"Authorization": f"Bearer {KEY}"}
