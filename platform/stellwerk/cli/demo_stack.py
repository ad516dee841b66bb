"""The platform a demonstration runs on: the one that runs here, else one started for it."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from stellwerk.cli.account import running_url
from stellwerk.cli.output import say
from stellwerk.errors import StackError
from stellwerk.settings import load_settings
from stellwerk.stack.home import Home
from stellwerk.stack.report import read_report

UP_WITHIN_S = 180.0
DOWN_WITHIN_S = 60.0
POLL_S = 0.1
TAIL_LINES = 15


@contextmanager
def running_platform(port: int, *, keep: bool) -> Iterator[str]:
    """The platform's URL. One that was started here is ended again, unless it is to be kept.

    Raises StackError with the last lines it said where it does not come up.
    """
    url = running_url()
    if url:
        say(f"Using the platform that runs at {url}.")
        yield url
        return
    with TemporaryDirectory(prefix="stellwerk-demo-") as folder, _ending_on_sigterm():
        said = Path(folder) / "output"
        process = _start(port, said)
        try:
            yield _url_when_ready(process, said)
        except BaseException:
            _end(process)
            raise
        if keep:
            say("The platform goes on; `stellwerk down` ends it.")
        else:
            _end(process)


def _start(port: int, said: Path) -> subprocess.Popen[bytes]:
    say("Bringing the platform up ...")
    command = [sys.executable, "-m", "stellwerk.cli.main", "up", "--port", str(port)]
    with said.open("wb") as output:
        return subprocess.Popen(  # noqa: S603  ourselves
            command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )


def _url_when_ready(process: subprocess.Popen[bytes], said: Path) -> str:
    home = Home(load_settings().home.absolute())
    deadline = time.monotonic() + UP_WITHIN_S
    while time.monotonic() < deadline:
        report = read_report(home) or {}
        if report.get("pid") == process.pid and report.get("state") == "ready":
            url = running_url()
            say(f"It is up at {url}.")
            return url
        if process.poll() is not None:
            raise StackError(f"The platform did not come up:\n{_tail(said)}")
        time.sleep(POLL_S)
    raise StackError(f"The platform is not ready after {UP_WITHIN_S:g} s:\n{_tail(said)}")


def _end(process: subprocess.Popen[bytes]) -> None:
    say("Stopping the platform ...")
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(DOWN_WITHIN_S)
    except subprocess.TimeoutExpired as exc:
        process.kill()
        raise StackError(f"The platform did not end within {DOWN_WITHIN_S:g} s.") from exc


@contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """Leave through `finally` blocks when told to end."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _tail(said: Path) -> str:
    return "\n".join(said.read_text(errors="replace").splitlines()[-TAIL_LINES:])
