"""stack.json: every URL and every process of a stack, for people, tests and other commands."""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from stellwerk.clock import rfc3339
from stellwerk.settings import Settings
from stellwerk.stack.home import Home, read_json, write_json
from stellwerk.stack.lock import holder_of
from stellwerk.stack.masking import masked

ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104  compared, not bound


class StackState(StrEnum):
    """Where a stack is in its life."""

    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(slots=True)
class Report:
    """Writes stack.json anew after each change."""

    home: Home
    urls: dict[str, str]
    processes: Callable[[], Sequence[dict[str, Any]]]
    encryption_key: str  # the id of the key that seals; tells nothing about it
    state: StackState = StackState.STARTING
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def write(self) -> None:
        """Write what is true now."""
        document = {
            "state": self.state,
            "pid": os.getpid(),
            "home": str(self.home.path),
            "started_at": rfc3339(self.started_at),
            "urls": self.urls,
            "encryption_key": self.encryption_key,
            "processes": list(self.processes()),
        }
        write_json(self.home.stack_file, document)

    def update(self) -> None:
        """Write what is true now, if the disk lets us: a full one must not end the platform."""
        with suppress(OSError):
            self.write()

    def enter(self, state: StackState) -> None:
        """Change the state and write it down."""
        self.state = state
        self.update()


def read_report(home: Home) -> dict[str, Any] | None:
    """The running stack's document; None where nothing runs, whatever the file says."""
    holder = holder_of(home.lock_file)
    return read_json(home.stack_file) if holder else None


def stack_urls(filled: Settings) -> dict[str, str]:
    """What to open and where to connect; passwords are masked."""
    address = reachable_address(filled.host)
    root = (filled.public_url or f"http://{address}:{filled.port}").rstrip("/")
    return {
        "api": f"{root}/api/v1",
        "docs": f"{root}/api/docs",
        "redoc": f"{root}/api/redoc",
        "openapi": f"{root}/api/openapi.json",
        "flower": f"{root}/flower/",
        "modules": f"{_modules_root(filled)}/",
        "database": masked(filled.database_url.get_secret_value()),
        "redis": masked(filled.redis_url.get_secret_value()),
    }


def _modules_root(filled: Settings) -> str:
    address = reachable_address(filled.host)
    return filled.model_copy(update={"host": address.strip("[]")}).modules_base_url()


def reachable_address(host: str) -> str:
    """The address under which something that listens on `host` is reached from here."""
    return ANY_ADDRESS.get(host, host)
