"""A simulated switch as a process of its own, which can be killed, frozen and counted."""

import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from embedded import wait_until
from stellwerk.settings import Settings, environment
from stellwerk.stack.ports import free_port
from stellwerk.stack.switch.diary import dials_in

ANSWER_WITHIN_S = 60.0


@dataclass(slots=True)
class Switchboard:
    """One simulator; its folder counts the dials over all of its lives."""

    folder: Path
    speed: float = 1.0
    sessions_per_s: int = 30
    port: int = field(default_factory=free_port)
    password: str = field(default_factory=lambda: secrets.token_hex(8))
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Start it, and wait until it listens."""
        log = self.folder / f"switch-{os.urandom(4).hex()}.log"
        arguments = {
            "--port": self.port,
            "--folder": self.folder / "diary",
            "--speed": self.speed,
            "--sessions-per-second": self.sessions_per_s,
        }
        with log.open("wb") as output:
            self.process = subprocess.Popen(  # noqa: S603  our own simulator
                [
                    *(sys.executable, "-m", "stellwerk.stack.switch"),
                    *(str(part) for pair in arguments.items() for part in pair),
                ],
                env=environment() | {"STELLWERK_ESL_PASSWORD": self.password},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until(lambda: "listens on" in log.read_text())

    def kill(self) -> None:
        """End it at once, with all of its calls."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(60)

    def dials(self, number: str) -> int:
        """How often a number was dialled."""
        return dials_in(self.folder / "diary")[number]

    def has(self, call_id: UUID) -> bool:
        """Whether a call's channel is up."""
        return self._asked(f"uuid_exists {call_id}", b"true", b"false").endswith(b"true")

    def end(self, call_id: UUID) -> None:
        """Hang up, as a called party does."""
        self._asked(f"uuid_kill {call_id}", b"+OK\n")

    def _asked(self, command: str, *ends: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), ANSWER_WITHIN_S) as client:
            client.sendall(f"auth {self.password}\n\napi {command}\n\n".encode())
            heard = b""
            while not heard.endswith(ends):
                data = client.recv(4096)
                assert data, heard
                heard += data
        return heard

    def changes(self) -> dict[str, Any]:
        """Settings of those who dial over it."""
        return {
            "esl_host": "127.0.0.1",
            "esl_port": self.port,
            "esl_password": self.password,
            "call_lease_s": 4.0,
            "call_settling_s": 3.0,
        }


@contextmanager
def running_switchboard(folder: Path, **options: Any) -> Iterator[Switchboard]:
    """A simulator until the block ends."""
    made = Switchboard(folder, **options)
    made.start()
    try:
        yield made
    finally:
        made.kill()


def dialling_over(switch: Switchboard, settings: Settings, **more: Any) -> Settings:
    """The settings of a platform whose calls go there."""
    return Settings.model_validate(
        settings.model_dump(exclude_unset=True) | switch.changes() | more
    )
