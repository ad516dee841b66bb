"""Where a keeper begins. Run as a script.

    python -I -S entry.py FOLDER [sweep]

It returns when the service is on its way, with 0, or with 1 where it cannot be; its keeper goes
on, nobody's child and in a session of its own. With `sweep` it ends what a killed keeper left.
"""

import os
import select
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

sys.path.append(str(Path(__file__).parents[4]))  # after the standard library, which stays itself

from stellwerk.providers.services.process.descent import adopt_orphans
from stellwerk.providers.services.process.ears import Ears
from stellwerk.providers.services.process.keeper import Keeper
from stellwerk.providers.services.process.leftovers import end_leftovers
from stellwerk.providers.services.process.log import LogWriter
from stellwerk.providers.services.process.records import Records, Task

LIFE_WITHIN_S = 2.0  # others hold it for a moment when they look who lives
PAUSE_S = 0.01
BEGUN = b"1"


def main(folder: str, purpose: str = "keep") -> NoReturn:
    """Become the keeper of a folder, or sweep it."""
    records = Records(Path(folder))
    task = records.task()
    if task is None:
        sys.exit(f"{folder} says nothing of a service")
    if purpose == "sweep":
        sys.exit(0 if end_leftovers(records, task) else 1)
    reading, writing = os.pipe()
    if os.fork():
        os.close(writing)
        sys.exit(0 if os.read(reading, 1) == BEGUN else 1)
    launcher = os.dup(0)
    os.setsid()
    os.chdir("/")
    os.umask(0o077)
    for standard in (0, 1, 2):
        os.dup2(os.open(os.devnull, os.O_RDWR), standard)
    life = _life(records)
    if life is None:  # another one is first: all is well
        _tell(writing)
    elif _is_awaited(launcher):
        _keep(records, task, writing)
    os._exit(0)


def _keep(records: Records, task: Task, word: int) -> None:
    try:
        adopt_orphans()
        ears = Ears()
        end_leftovers(records, task)
        keeper = Keeper(records, task, ears)
        try:
            keeper.run(lambda: _tell(word))
        finally:
            keeper.close()
    except Exception:  # noqa: BLE001  the edge of this process: its service's log is all it has
        LogWriter(records.path).write(traceback.format_exc().encode())


def _life(records: Records) -> int | None:
    deadline = time.monotonic() + LIFE_WITHIN_S
    while time.monotonic() < deadline:
        life = records.take_life()
        if life is not None:
            return life
        time.sleep(PAUSE_S)
    return None


def _is_awaited(launcher: int) -> bool:
    """Whether who started this one lives. If not, others may have looked for keepers already."""
    readable, _, _ = select.select([launcher], [], [], 0)
    os.close(launcher)
    return not readable  # nobody writes: at its end alone there is something to read


def _tell(word: int) -> None:
    with suppress(BrokenPipeError):  # who wanted it is gone; the service is wanted all the same
        os.write(word, BEGUN)
    os.close(word)


if __name__ == "__main__":
    main(*sys.argv[1:])
