"""Ends what a killed `stellwerk up` left behind; runs beside it as a process of its own.

The supervisor writes the session of each process it starts to the guard's standard input.
When that pipe closes without a farewell, the supervisor was killed: everything it had started
is killed too. The guard also inherits the home's lock, so nobody starts on that home before
it is through.
"""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from stellwerk.settings import environment
from stellwerk.stack.modules import ModulesPlace, end_services
from stellwerk.stack.remains import kill_remains

FAREWELL = "done"
END_S = 5.0


class Guard:
    """The supervisor's end of the pipe."""

    def __init__(self, run: str, lock_handle: int, modules: ModulesPlace | None = None) -> None:
        places = (str(modules.home), str(modules.given or "")) if modules else ()
        self._process = subprocess.Popen(  # noqa: S603  our own module
            [sys.executable, "-m", "stellwerk.stack.guard", run, *places],
            stdin=subprocess.PIPE,
            env=environment() | {"PYTHONSAFEPATH": "1"},
            start_new_session=True,
            pass_fds=[lock_handle],
            text=True,
        )

    def watch(self, session: int) -> None:
        """Tell the guard about one more process."""
        self._write(str(session))

    def dismiss(self) -> None:
        """All is ended in order: the guard has nothing to do."""
        self._write(FAREWELL)
        if self._process.stdin:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(END_S)

    def _write(self, line: str) -> None:
        if self._process.stdin:
            with suppress(BrokenPipeError):  # somebody killed the guard; we can go on without
                self._process.stdin.write(f"{line}\n")
                self._process.stdin.flush()


def main(run: str, home: str = "", modules: str = "") -> None:
    """Read sessions until the pipe closes; without a farewell, kill what is left.

    That is also the services of modules, where a home is named; `modules` as in the settings.
    """
    for unwanted in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(unwanted, signal.SIG_IGN)
    sessions: set[int] = set()
    for line in sys.stdin:
        if line.strip() == FAREWELL:
            return
        sessions.add(int(line))
    kill_remains(f"{run}/", sessions - {os.getsid(0)})
    if home:
        place = ModulesPlace(Path(home), Path(modules) if modules else None)
        end_services(place, in_a_hurry=lambda: True, say=_nobody_hears)


def _nobody_hears(sentence: str) -> None:
    """Whoever read what the supervisor says is gone with it."""
    del sentence


if __name__ == "__main__":
    main(*sys.argv[1:])
