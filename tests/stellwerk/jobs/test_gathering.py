"""Statements of several threads travel as one, and nobody waits for company."""

import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from threading import Event
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

import submitters
from embedded import wait_until
from engine import as_variables
from stellwerk.bootstrap import Platform
from stellwerk.jobs.gathering import Gathering
from stellwerk.jobs.model import Job
from stellwerk.settings import environment

ACCEPTED = 30  # before the process is killed


class Ledger:
    """Takes its time for the first statement; refuses what is wrong."""

    def __init__(self, wrong: str = "", error: DBAPIError | None = None) -> None:
        self.statements: list[list[str]] = []
        self.may_end = Event()
        self._wrong, self._error = wrong, error

    def carry(self, items: Sequence[str]) -> None:
        self.statements.append(list(items))
        assert self.may_end.wait(60)
        if self._error and self._wrong in items:
            raise self._error


def added(ledger: Ledger, *items: str) -> list[BaseException | None]:
    """What each came to; all but the first came while that one was under way."""
    gathering = Gathering(ledger.carry)
    with ThreadPoolExecutor(len(items)) as pool:
        futures = []
        for number, item in enumerate(items):
            futures.append(pool.submit(gathering.add, item))
            wait_until(lambda: ledger.statements)
            wait_until(lambda number=number: gathering.waiting == number)  # type: ignore[misc]  # mypy cannot infer a lambda with defaults
        ledger.may_end.set()
        return [future.exception() for future in futures]


def test_who_comes_meanwhile_is_in_the_next_and_the_first_waits_for_nobody() -> None:
    ledger = Ledger()
    assert added(ledger, *"abcd") == [None] * 4
    assert ledger.statements == [["a"], ["b", "c", "d"]]
    Gathering(ledger.carry).add("alone")
    assert ledger.statements[-1] == ["alone"]


def test_what_is_refused_is_refused_by_itself() -> None:
    error = IntegrityError("INSERT", None, Exception())
    ledger = Ledger("c", error)
    assert added(ledger, *"abcd") == [None, None, error, None]
    assert ledger.statements[:2] == [["a"], ["b", "c", "d"]]
    assert sorted(ledger.statements[2:]) == [["b"], ["c"], ["d"]]


def test_a_lost_connection_is_told_to_all_and_nothing_is_carried_again() -> None:
    error = OperationalError("INSERT", None, Exception(), connection_invalidated=True)
    ledger = Ledger("c", error)
    assert added(ledger, *"abcd") == [None, error, error, error]
    assert ledger.statements == [["a"], ["b", "c", "d"]]


def test_a_stuck_ledger_is_told_to_all_and_asked_once() -> None:
    error = OperationalError("INSERT", None, Stuck())
    ledger = Ledger("c", error)
    assert added(ledger, *"abcd") == [None, error, error, error]
    assert ledger.statements == [["a"], ["b", "c", "d"]]


class Stuck(Exception):
    """As the driver has it."""

    pgcode = "57014"


def test_a_process_that_is_killed_keeps_every_job_that_it_accepted(platform: Platform) -> None:
    process = subprocess.Popen(  # noqa: S603  our own script
        [sys.executable, submitters.__file__],
        env=environment() | as_variables(platform.settings) | {"PYTHONPATH": ":".join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    try:
        accepted = list(islice(process.stdout, ACCEPTED))
    finally:
        process.kill()
        rest, _ = process.communicate()
    accepted += [line for line in rest.splitlines(keepends=True) if line.endswith("\n")]
    ids = {UUID(line.strip()) for line in accepted}
    with platform.runtime.sessions() as session:
        stored = set(session.scalars(select(Job.id)))
    assert len(ids) >= ACCEPTED
    assert ids <= stored
