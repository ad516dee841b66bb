"""Programs run as children: bounded in time, ended on request, and never left behind.

Each child leads a process group of its own, so that ending it ends what it started. On Linux
the kernel also kills it when the process that started it dies (`deathwatch.py`).
"""

import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from stellwerk.errors import ProviderUnavailable, Stopped
from stellwerk.settings import environment

POLL_S = 0.1
TERMINATE_GRACE_S = 2.0
KEPT_BYTES = 64_000
PASSED_ON = frozenset(
    {
        *("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ"),
        *("LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV"),
    }
)
_DEATHWATCH = Path(__file__).with_name("deathwatch.py")


@dataclass(frozen=True, slots=True)
class Finished:
    """What a program that ended with 0 wrote; the last 64 kB of standard error."""

    stderr: str


def never() -> bool:
    """A `should_stop` that always says no."""
    return False


def run_program(
    args: Sequence[str],
    *,
    timeout_s: float,
    should_stop: Callable[[], bool] = never,
    on_line: Callable[[str], None] | None = None,
) -> Finished:
    """Run `args` to its end; `on_line` gets every line of its standard output.

    `should_stop` is asked about every 0.1 s; it may also raise. Whatever ends the call, the
    child and its process group are gone when it returns.

    Raises Stopped when `should_stop` says so, and ProviderUnavailable when the program is
    missing, runs over `timeout_s` or ends with another code than 0.
    """
    with tempfile.TemporaryFile() as errors, _child(args, errors) as child:
        deadline = time.monotonic() + timeout_s
        _watch(child, deadline=deadline, should_stop=should_stop, on_line=on_line)
        code = child.wait()
        stderr = _tail(errors)
    if code != 0:
        message = f"{Path(args[0]).name} ended with {code}: {stderr[-500:].strip()}"
        raise ProviderUnavailable(message)
    return Finished(stderr)


@contextmanager
def _child(args: Sequence[str], errors: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    try:
        child = subprocess.Popen(  # noqa: S603  arguments are a list, no shell sees them
            [*_bound_to_this_process(), *args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
            env=_plain_environment(),
        )
    except OSError as exc:
        message = f"{args[0]} cannot be started: {exc.strerror}"
        raise ProviderUnavailable(message) from exc
    try:
        yield child
    finally:
        _end(child)
        if child.stdout:
            child.stdout.close()


def _plain_environment() -> dict[str, str]:
    """Without keys and passwords, which no child has any use for."""
    return {name: value for name, value in environment().items() if name in PASSED_ON}


def _bound_to_this_process() -> list[str]:
    if sys.platform != "linux":
        return []
    return [sys.executable, "-I", "-S", str(_DEATHWATCH), str(os.getpid())]


def _watch(
    child: subprocess.Popen[bytes],
    *,
    deadline: float,
    should_stop: Callable[[], bool],
    on_line: Callable[[str], None] | None,
) -> None:
    lines = _lines(child)
    for line in lines:
        if should_stop():
            raise Stopped("The program was ended because its job was asked to stop.")
        if time.monotonic() > deadline:
            raise ProviderUnavailable("A program took longer than its time limit and was ended.")
        if line and on_line:
            on_line(line)


def _lines(child: subprocess.Popen[bytes]) -> Iterator[str]:
    """Lines of standard output until it closes, and "" whenever `POLL_S` passed without any."""
    if child.stdout is None:
        raise ValueError("the child needs a pipe as standard output")
    rest = b""
    with selectors.DefaultSelector() as ready:
        ready.register(child.stdout, selectors.EVENT_READ)
        while True:
            yield ""
            if not ready.select(POLL_S):
                continue
            chunk = os.read(child.stdout.fileno(), 65_536)
            if not chunk:
                break
            *full, rest = (rest + chunk).split(b"\n")
            yield from (line.decode(errors="replace") for line in full)
    yield rest.decode(errors="replace")
    while child.poll() is None:  # it closed its output and works on
        yield ""
        time.sleep(POLL_S)


def _end(child: subprocess.Popen[bytes]) -> None:
    _signal_group(child, signal.SIGTERM)
    try:
        child.wait(TERMINATE_GRACE_S)
    except subprocess.TimeoutExpired:
        pass
    finally:
        _signal_group(child, signal.SIGKILL)
        child.wait()


def _signal_group(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(child.pid, number)
    except (ProcessLookupError, PermissionError):
        return  # the whole group has ended already


def _tail(errors: IO[bytes]) -> str:
    size = errors.seek(0, os.SEEK_END)
    errors.seek(max(0, size - KEPT_BYTES))
    return errors.read().decode(errors="replace")
