"""Runs a whole stack as a process of its own, with a small Procfile of the test's."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from embedded import wait_until
from stellwerk.providers.services.place import remove_modules
from stellwerk.settings import environment
from stellwerk.stack.gateway_socket import remove_admin_socket
from stellwerk.stack.home import Home
from stellwerk.stack.postgres_place import remove_data

DRIVER = """
import sys
from pathlib import Path
from stellwerk.cli.main import exit_code
from stellwerk.errors import StellwerkError
from stellwerk.settings import load_settings
from stellwerk.stack.stopping import Stop
from stellwerk.stack.up import Options, run_stack

home, procfile, port = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
say = lambda line: print(line, flush=True)
options = Options(procfile=procfile, say=say, migrate=False, ready_path="/")
stop = Stop()
try:
    with stop.on_signals():
        run_stack(load_settings(home=home, port=port), options, stop)
except StellwerkError as exc:
    print(f"error: {exc.message}")
    sys.exit(exit_code(exc))
"""

EDGE = """\
edge: env XDG_DATA_HOME="$STELLWERK_HOME" caddy run --config "$EDGE_CONFIG" --adapter caddyfile
web: python -m http.server --bind 127.0.0.1 --directory "$STELLWERK_HOME/logs" "$GRANIAN_PORT"
"""
READY_WITHIN_S, ENDED_WITHIN_S = 180.0, 120.0
CLEAN = ("DATABASE_URL", "REDIS_URL", "STELLWERK_DATABASE_URL", "STELLWERK_REDIS_URL")


class StackRun:
    """One `stellwerk up` under test."""

    def __init__(self, process: subprocess.Popen[str], home: Home, output: Path) -> None:
        self.process = process
        self.home = home
        self._output = output

    @property
    def output(self) -> str:
        """What it printed so far."""
        return self._output.read_text()

    def document(self) -> dict[str, Any]:
        """stack.json as it is now; empty before it is first written."""
        path = self.home.stack_file
        return dict(json.loads(path.read_text())) if path.exists() else {}

    def is_ready(self) -> bool:
        """Whether it has announced itself."""
        assert self.process.poll() is None, self.output
        document = self.document()
        return document.get("state") == "ready" and document.get("pid") == self.process.pid

    def pid_of(self, name: str) -> int | None:
        """The pid stack.json gives for a process; None while it is down."""
        processes = self.document().get("processes", [])
        return next((entry["pid"] for entry in processes if entry["name"] == name), None)

    def names(self) -> set[str]:
        """What the processes below it are called."""
        return set(self._told(psutil.Process.name))

    def command_lines(self) -> str:
        """All of theirs."""
        return " ".join(self._told(lambda process: " ".join(process.cmdline())))

    def _told(self, ask: Callable[[psutil.Process], str]) -> Iterator[str]:
        for process in self.tree():
            with suppress(psutil.NoSuchProcess):  # a server's helper that has ended meanwhile
                yield ask(process)

    def tree(self) -> list[psutil.Process]:
        """Every process below it."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self, number: int) -> int:
        """Send a signal and wait for its exit code."""
        self.process.send_signal(number)
        return self.process.wait(ENDED_WITHIN_S)


def launch(
    home: Path, procfile: Path, *, port: int = 0, extra: Mapping[str, str] | None = None
) -> StackRun:
    """Start a stack; whoever calls ends it."""
    env = {name: value for name, value in environment().items() if name not in CLEAN}
    output = procfile.parent / f"stack-{os.urandom(4).hex()}.out"
    with output.open("w") as file:
        process = subprocess.Popen(  # noqa: S603  our own driver
            [sys.executable, "-c", DRIVER, str(home), str(procfile), str(port)],
            env={**env, **(extra or {})},
            cwd=procfile.parent,
            stdout=file,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    return StackRun(process, Home(home.absolute()), output)


@contextmanager
def stack(
    home: Path, procfile: Path, *, port: int = 0, extra: Mapping[str, str] | None = None
) -> Iterator[StackRun]:
    """A stack that is ready; killed at the end if the test has not ended it."""
    run = launch(home, procfile, port=port, extra=extra)
    try:
        wait_until(run.is_ready, timeout_s=READY_WITHIN_S)
        yield run
    finally:
        if run.process.poll() is None:
            run.process.terminate()
            run.process.wait(ENDED_WITHIN_S)


@contextmanager
def lasting_stack(folder: Path, lines: str = EDGE) -> Iterator[StackRun]:
    """A stack of these lines of a Procfile, of which nothing is left at the end."""
    procfile, home = folder / "Procfile", folder / "home"
    procfile.write_text(lines)
    try:
        with stack(home, procfile) as started:
            yield started
    finally:
        discard(home)


def discard(home: Path) -> None:
    """Remove the database and the modules of a home that is not needed any more."""
    remove_data(Home(home.absolute()))
    remove_modules(home.absolute())
    remove_admin_socket(Home(home.absolute()))


def all_gone(processes: list[psutil.Process]) -> bool:
    """Whether none of them runs; zombies of somebody else's count as gone."""
    return not any(_runs(process) for process in processes)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
