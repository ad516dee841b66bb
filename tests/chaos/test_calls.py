"""Processes die, freeze and lose each other while numbers are called: each is dialled once at most.

Dials are counted at the switch. Where nobody can tell what became of a call, its job says so.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from secrets import randbelow
from uuid import UUID

import psutil
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError

from calling import call_of
from embedded import wait_until
from emptying import empty
from engine import TELEPHONY, Engine, stop_engines
from outcomes import document, ended
from people import add_user
from stellwerk.bootstrap import Platform
from stellwerk.calls import service
from stellwerk.calls.model import CallTrunk
from stellwerk.clock import new_id
from stellwerk.jobs import queue_states
from stellwerk.jobs.crash_points import CrashPoint
from stellwerk.jobs.submission import Submission, submit
from stellwerk.settings import Settings
from switchboard import Switchboard, dialling_over, running_switchboard

# In one process: its workers, switch and telephony processes are started once.
pytestmark = [pytest.mark.chaos, pytest.mark.xdist_group("calling"), pytest.mark.timeout(240)]

SHORT, BUSY, LONG = "1000", "1001", "1010"  # what the last digits of a number do
UNCERTAIN = ("failed", "EFFECT_UNCERTAIN")
COMPLETED = ("completed", None)
IN_A_WORKER = (
    CrashPoint.AFTER_ACK_BEFORE_CLAIM,
    CrashPoint.AFTER_CLAIM,
    CrashPoint.BEFORE_EFFECT,
    CrashPoint.AFTER_EFFECT,
    CrashPoint.BEFORE_FINISH,
    CrashPoint.AFTER_FINISH,
)


@pytest.fixture(scope="module")
def switch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switchboard]:
    with running_switchboard(tmp_path_factory.mktemp("switch")) as running:
        yield running


@pytest.fixture(scope="module")
def calling(
    shared_platform: Platform,
    settings: Settings,
    switch: Switchboard,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Engine]:
    """Workers, a dispatcher, and two telephony processes, of which one stands by."""
    stop_engines()
    empty(shared_platform)
    engine = Engine(dialling_over(switch, settings), tmp_path_factory.mktemp("calling"))
    try:
        for role in ("short", "long", "dispatcher", *TELEPHONY):
            engine.start(role)
        yield engine
    finally:
        engine.stop()


def leader(platform: Platform, calling: Engine) -> str:
    """The role of the process that dials."""
    with platform.runtime.sessions() as session:
        holder = session.scalars(select(CallTrunk.holder)).one_or_none() or ""
    return next((r for r in TELEPHONY if f":{calling.processes[r].pid}:" in holder), "")


@pytest.fixture
def user_id(platform: Platform, calling: Engine) -> int:
    """Somebody who may make many calls, with everybody at work."""
    for role in TELEPHONY:
        calling.kill(role, signal.SIGCONT)  # where a test ended before it did so
    calling.restart_what_ended()
    wait_until(lambda: leader(platform, calling))  # its row was removed
    return add_user(platform, subscription_tier="enterprise")


class Caller:
    """Calls numbers that nobody called before, as one user."""

    def __init__(self, platform: Platform, switch: Switchboard, user_id: int) -> None:
        self._platform, self._switch, self._user_id = platform, switch, user_id
        self.numbers: dict[UUID, str] = {}

    def call(self, ending: str, *, armed: str = "", by: str = "") -> UUID:
        """Submit a call; a crash point is armed for it, which fires by this signal."""
        job_id, queue = new_id(), self._platform.runtime.registry.get("calls.originate").queue
        number = f"+4930{100 + randbelow(900)}{100 + randbelow(900)}{ending}"
        submission = Submission(
            "calls.originate", {"to": number}, owner_id=self._user_id, job_id=job_id
        )
        self.numbers[job_id] = number
        if armed:  # before anybody comes to it
            queue_states.pause(self._platform.runtime, queue, None)
        submit(self._platform.runtime, submission)
        if armed:
            named = job_id if armed in IN_A_WORKER else call_of(self._platform, job_id).id
            self._arm(armed, named, by)
            queue_states.resume(self._platform.runtime, queue, None)
        return job_id

    def has(self, job_id: UUID, state: str) -> bool:
        """Whether the call is in this state now."""
        return call_of(self._platform, job_id).state == state

    def hang_up(self, job_id: UUID) -> None:
        """As its owner."""
        service.hang_up(self._platform.runtime, self._user_id, call_of(self._platform, job_id).id)

    def dials(self, job_id: UUID) -> int:
        """How often the switch was told to dial its number."""
        return self._switch.dials(self.numbers[job_id])

    def came(self, job_id: UUID) -> tuple[str, tuple[str, str | None], int]:
        """The call's state, how its job ended, and how often it was dialled."""
        job = ended(self._platform, job_id)
        outcome = (job["status"], (job["error"] or {}).get("code"))
        return call_of(self._platform, job_id).state, outcome, self.dials(job_id)

    def _arm(self, point: str, named: UUID, by: str = "") -> None:
        assert self._platform.settings.crash_folder
        (self._platform.settings.crash_folder / f"{point}.{named}").write_text(by)


@pytest.fixture
def caller(platform: Platform, switch: Switchboard, user_id: int) -> Caller:
    return Caller(platform, switch, user_id)


def died(calling: Engine) -> bool:
    return any(calling.processes[role].poll() is not None for role in TELEPHONY)


def frozen(calling: Engine) -> list[str]:
    """The roles of those that stand still."""
    states = {role: psutil.Process(calling.processes[role].pid).status() for role in TELEPHONY}
    return [role for role, state in states.items() if state == psutil.STATUS_STOPPED]


def test_a_worker_that_dies_anywhere_has_its_number_dialled_once(
    platform: Platform, calling: Engine, caller: Caller
) -> None:
    jobs = [caller.call(SHORT, armed=point) for point in IN_A_WORKER]

    def all_ended() -> bool:
        calling.restart_what_ended()
        return all(document(platform, job_id)["finished_at"] for job_id in jobs)

    wait_until(all_ended, timeout_s=120)
    assert [caller.came(job_id) for job_id in jobs] == [("completed", COMPLETED, 1)] * len(jobs)


@pytest.mark.parametrize(
    ("point", "ending", "expected"),
    [
        (CrashPoint.BEFORE_DIAL, SHORT, ("failed", UNCERTAIN, 0)),
        (CrashPoint.AFTER_DIAL, LONG, ("completed", COMPLETED, 1)),
        (f"{CrashPoint.CALL_HEARD}~created", LONG, ("completed", COMPLETED, 1)),
        (f"{CrashPoint.CALL_HEARD}~answered", LONG, ("completed", COMPLETED, 1)),
        (f"{CrashPoint.CALL_HEARD}~hung_up", SHORT, ("completed", COMPLETED, 1)),
    ],
)
def test_a_telephony_process_that_dies_leaves_the_call_to_the_other(
    calling: Engine,
    caller: Caller,
    point: str,
    ending: str,
    expected: tuple[str, tuple[str, str | None], int],
) -> None:
    job_id = caller.call(ending, armed=point)
    wait_until(lambda: died(calling))
    calling.restart_what_ended()
    if ending == LONG:
        wait_until(lambda: caller.has(job_id, "answered"))
        caller.hang_up(job_id)

    assert caller.came(job_id) == expected


def test_a_call_that_ends_while_nobody_leads_is_uncertain_unless_its_end_was_heard(
    calling: Engine, caller: Caller
) -> None:
    job_id = caller.call(BUSY, armed=CrashPoint.AFTER_DIAL)
    wait_until(lambda: died(calling))
    calling.restart_what_ended()

    assert caller.came(job_id) in {("failed", UNCERTAIN, 1), ("busy", COMPLETED, 1)}


def test_a_process_that_was_frozen_before_it_dialled_dials_nothing_any_more(
    platform: Platform, calling: Engine, caller: Caller
) -> None:
    job_id = caller.call(SHORT, armed=CrashPoint.BEFORE_DIAL, by="SIGSTOP")
    assert caller.came(job_id) == ("failed", UNCERTAIN, 0)
    (first,) = frozen(calling)
    (second,) = set(TELEPHONY) - {first}
    calling.kill(first, signal.SIGCONT)
    calling.kill(second, signal.SIGTERM)  # so the other leads again
    wait_until(lambda: leader(platform, calling) == first)

    assert caller.came(caller.call(SHORT)) == ("completed", COMPLETED, 1)
    assert caller.dials(job_id) == 0


def test_a_frozen_process_dials_nothing_that_another_took_over(
    platform: Platform, calling: Engine, caller: Caller
) -> None:
    first = leader(platform, calling)
    calling.kill(first, signal.SIGSTOP)
    job_id = caller.call(SHORT)
    wait_until(lambda: leader(platform, calling) not in {"", first})
    calling.kill(first, signal.SIGCONT)

    assert caller.came(job_id) == ("completed", COMPLETED, 1)


def answers(platform: Platform) -> bool:
    """Whether Postgres has recovered."""
    with suppress(SQLAlchemyError), platform.runtime.sessions() as session:
        return session.scalar(text("SELECT true")) is True
    return False


def crash_postgres(platform: Platform) -> bool:
    """One of its backends is killed, upon which it ends all others and starts again."""
    with suppress(SQLAlchemyError), platform.engine.connect() as connection:
        os.kill(connection.scalars(text("SELECT pg_backend_pid()")).one(), signal.SIGKILL)
    return True


def test_redis_may_be_emptied_and_postgres_restarted_in_a_call(
    platform: Platform, switch: Switchboard, calling: Engine, caller: Caller
) -> None:
    """The call goes on; what is heard meanwhile is stored when Postgres is back."""
    assert calling.processes
    job_id, ended_meanwhile = caller.call(LONG), caller.call(LONG)
    wait_until(lambda: caller.has(job_id, "answered") and caller.has(ended_meanwhile, "answered"))
    over = call_of(platform, ended_meanwhile).id
    platform.live_client.redis.flushall()
    crash_postgres(platform)
    switch.end(over)
    wait_until(lambda: crash_postgres(platform) and not switch.has(over))
    wait_until(lambda: answers(platform))

    assert caller.came(ended_meanwhile) == ("completed", COMPLETED, 1)
    assert caller.has(job_id, "answered")
    caller.hang_up(job_id)
    assert caller.came(job_id) == ("completed", COMPLETED, 1)
