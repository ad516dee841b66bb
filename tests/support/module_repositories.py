"""Repositories of modules that behave as a test needs them to.

The server of each answers `{"module", "version", "instance_id", "path"}` at every address, and
ends at SIGTERM once what is under way has been answered, as the sample modules do.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from stellwerk.providers.repositories.publishing import publish
from stellwerk.providers.repositories.signatures import SigningKey
from stellwerk.shipped import shipped

COMMAND = ("python3", "-S", "server.py")  # -S: it starts in half the time
SERVER = """\
import json
import signal
import sys
import time
from pathlib import Path

from serving import Handler, Server, who

BEHAVIOUR = json.loads(Path("behaviour.json").read_text())


class Answer(Handler):
    def do_GET(self):
        if self.path == "/health":
            return self.answer_json(who(), 200 if BEHAVIOUR["healthy"] else 503)
        time.sleep(BEHAVIOUR["answers_after_s"])
        self.answer_json({**who(), "path": self.path, **BEHAVIOUR["says"]})

    do_POST = do_GET


if BEHAVIOUR["crashes_at_start"]:
    print("This module cannot start.", file=sys.stderr, flush=True)
    sys.exit(3)
time.sleep(BEHAVIOUR["starts_after_s"])
server = Server(Answer)
print("listening", flush=True)
if BEHAVIOUR["ignores_sigterm"]:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    server.serve_forever()
server.serve_until_ended()
"""
HEALTH: Mapping[str, Any] = {
    "path": "/health",
    "interval_s": 1,
    "timeout_s": 10,
    "retries": 2,
    "start_period_s": 10,
}


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a server does; times in seconds, `says` is added to what it answers."""

    healthy: bool = True
    starts_after_s: float = 0
    answers_after_s: float = 0
    crashes_at_start: bool = False
    ignores_sigterm: bool = False
    says: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ServerModule:
    """A version of a module. `program` stands for the usual server, with what `files` adds."""

    name: str
    version: str = "1.0.0"
    healthy: bool = True
    dependencies: Sequence[str] = ()
    behaviour: Behaviour = Behaviour()
    category: str = "tests"
    environment: Mapping[str, str] = field(default_factory=dict)
    health: Mapping[str, Any] = field(default_factory=lambda: HEALTH)
    limits: Mapping[str, Any] = field(default_factory=dict)
    command: Sequence[str] = COMMAND
    program: str = SERVER
    files: Mapping[str, bytes] = field(default_factory=dict)

    def write(self, folder: Path) -> Path:
        """The module's folder, as its author has it."""
        folder.mkdir(parents=True)
        manifest = {
            "name": self.name,
            "version": self.version,
            "category": self.category,
            "description": f"{self.name}, as a test needs it.",
            "command": list(self.command),
            "healthcheck": dict(self.health),
            "dependencies": list(self.dependencies),
            "environment": dict(self.environment),
            "limits": dict(self.limits),
        }
        behaviour = asdict(self.behaviour)
        behaviour["healthy"] = self.healthy and self.behaviour.healthy
        (folder / "module.json").write_text(json.dumps(manifest))
        (folder / "behaviour.json").write_text(json.dumps(behaviour))
        (folder / "server.py").write_text(self.program)
        shutil.copy(shipped("modules/echo/serving.py"), folder)
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return folder


def make_repository(folder: Path, *modules: ServerModule, key: SigningKey | None = None) -> Path:
    """Pack the modules into a repository in `folder`, or add them to it; gives the folder."""
    with TemporaryDirectory() as temporary:
        folders = [
            module.write(Path(temporary) / str(number)) for number, module in enumerate(modules)
        ]
        publish(folders, folder, key=key, is_replacing=True)
    return folder
