"""The `stellwerk` command as a process of its own, for tests."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stellwerk.settings import environment

EMAIL = "signaller@example.com"


@dataclass(frozen=True, slots=True)
class CommandLine:
    """Runs commands with one configuration file and one URL."""

    variables: dict[str, str]
    folder: Path

    def run(self, *arguments: str, typed: str = "", **variables: str) -> "Ran":
        """Run to the end."""
        process = self.start(*arguments, **variables)
        out, err = process.communicate(typed, timeout=90)
        return Ran(process.returncode, out, err)

    def start(self, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
        """Run in the background."""
        return subprocess.Popen(  # noqa: S603  our own command
            [sys.executable, "-m", "stellwerk.cli.main", *arguments],
            env=environment() | self.variables | variables,
            cwd=self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def done(self, *arguments: str, typed: str = "") -> str:
        """The standard output of a command that has to succeed."""
        ran = self.run(*arguments, typed=typed)
        assert ran.code == 0, ran
        return ran.out

    def json(self, *arguments: str) -> Any:
        """The JSON of a command that has to succeed."""
        return json.loads(self.done(*arguments, "--json"))

    def submit(self, operation: str, *assignments: str) -> str:
        """Submit a job with `key=value`s; returns its id."""
        options = [part for assignment in assignments for part in ("--set", assignment)]
        return self.done("submit", operation, *options).strip()


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str
