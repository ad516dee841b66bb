"""Starts keepers, and ends them, by what they write about themselves."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from stellwerk.errors import ProviderUnavailable
from stellwerk.providers.services.process import entry
from stellwerk.providers.services.process.ears import AT_ONCE
from stellwerk.providers.services.process.records import Records
from stellwerk.providers.services.protocol import OVER

SERVICES = ".services"  # below the folder of all modules
LAUNCH_S = 30.0
BEYOND_GRACE_S = 5.0
PAUSE_S = 0.02


def services_in(modules: Path) -> list[Records]:
    """Every service of a folder of modules."""
    try:
        folders = sorted((modules / SERVICES).iterdir())
    except FileNotFoundError:
        return []
    return [Records(folder) for folder in folders if folder.is_dir()]


def start_keepers(services: Iterable[Records]) -> None:
    """Start what is not kept yet, all at once; raises ProviderUnavailable where some cannot be."""
    launched = [(one, _run(one, "keep")) for one in services if not _is_kept(one)]
    failed = [one for one, process in launched if _code(process)]
    if failed:
        names = ", ".join(one.name for one in failed)
        message = f"What cannot be started: {names}; see the log in {failed[0].path}."
        raise ProviderUnavailable(message)


def end_keepers(
    services: Iterable[Records], in_a_hurry: Callable[[], bool] = lambda: False
) -> None:
    """End what is kept, all at once, and sweep after killed keepers.

    As soon as `in_a_hurry` says so, nothing is given its grace any more. When this returns nothing
    of them runs; raises ProviderUnavailable, at last, where something does.
    """
    asked = [(one, _grace_s(one)) for one in services]
    for one, _ in asked:
        _ask_to_end(one, signal.SIGTERM)
    began = time.monotonic()
    reasons = [
        _left_of(one, began + grace_s + BEYOND_GRACE_S, in_a_hurry) for one, grace_s in asked
    ]
    if any(reasons):
        raise ProviderUnavailable(" ".join(filter(None, reasons)))


def _left_of(one: Records, deadline_s: float, in_a_hurry: Callable[[], bool]) -> str:
    """What of it does not end, as a sentence; empty where nothing is left."""
    if not _has_ended(one, deadline_s, in_a_hurry):
        return f"What keeps {one.name} does not end."
    course = one.course()
    if course and course.program is not None and _code(_run(one, "sweep")):
        return f"Processes of {one.name} do not end."
    return ""


def _is_kept(one: Records) -> bool:
    """Whether a keeper goes on; one that is through is awaited."""
    for _ in _pauses(time.monotonic() + BEYOND_GRACE_S):
        if not one.has_keeper():
            return False
        course = one.course()
        if course and course.status not in OVER:
            return True
    return True


def _grace_s(one: Records) -> float:
    task = one.task()
    return task.spec.stop_grace_s if task else 0.0


def _has_ended(one: Records, deadline_s: float, in_a_hurry: Callable[[], bool]) -> bool:
    for _ in _pauses(deadline_s):
        if not one.has_keeper():
            return True
        _ask_to_end(one, AT_ONCE if in_a_hurry() else signal.SIGTERM)
    _signal(one, signal.SIGKILL)
    return any(not one.has_keeper() for _ in _pauses(time.monotonic() + BEYOND_GRACE_S))


def _pauses(deadline_s: float) -> Iterator[None]:
    yield None
    while time.monotonic() < deadline_s:
        time.sleep(PAUSE_S)
        yield None


def _ask_to_end(one: Records, number: signal.Signals) -> None:
    if one.has_keeper():
        _signal(one, number)


def _signal(one: Records, number: signal.Signals) -> None:
    course = one.course()
    with suppress(FileNotFoundError, ProcessLookupError):
        if course and str(one.path).encode() in _command_line(course.keeper):  # not a reused number
            os.kill(course.keeper, number)


def _command_line(pid: int) -> list[bytes]:
    return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")


def _run(one: Records, purpose: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603  our own script
        [sys.executable, "-I", "-S", entry.__file__, str(one.path), purpose],
        env={},  # above all not our mark: restarts of workers leave services alone
        cwd="/",
        stdin=subprocess.PIPE,  # held for as long as we wait for it: so it knows that we do
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _code(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait(LAUNCH_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
    finally:
        if process.stdin:
            process.stdin.close()
