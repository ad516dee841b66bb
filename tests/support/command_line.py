"""The `stellwerk` command, always as a process of its own, for tests."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forked_commands import LIMIT_S, run_forked
from stellwerk.settings import environment

EMAIL = "signaller@example.com"


@dataclass(frozen=True, slots=True)
class CommandLine:
    """Runs commands with one configuration file and one URL."""

    variables: dict[str, str]
    folder: Path

    def run(self, *arguments: str, typed: str = "", **variables: str) -> "Ran":
        """Run to the end, as a process that has imported already what commands need."""
        env = environment() | self.variables | variables
        return Ran(*run_forked(arguments, env, self.folder, typed))

    def run_anew(self, *arguments: str, typed: str = "") -> "Ran":
        """Run to the end, and import all of it anew: once for each command, for it takes long."""
        process = self.start(*arguments)
        out, err = process.communicate(typed, timeout=LIMIT_S)
        return Ran(process.returncode, out, err)

    def start(self, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
        """Run in the background, as `run_anew`."""
        return subprocess.Popen(  # noqa: S603  our own command
            [sys.executable, "-m", "stellwerk.cli.main", *arguments],
            env=environment() | self.variables | variables,
            cwd=self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def done(self, *arguments: str, typed: str = "", anew: bool = False) -> str:
        """The standard output of a command that has to succeed; `anew`: of `run_anew`."""
        run = self.run_anew if anew else self.run
        ran = run(*arguments, typed=typed)
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
