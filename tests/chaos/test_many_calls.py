"""Hundreds of calls at once in one telephony process, and thirty of them begun a second."""

import signal
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from sqlalchemy import text

from calling import originate
from embedded import wait_until
from emptying import empty
from engine import Engine, stop_engines
from outcomes import ended
from people import add_user
from stellwerk.bootstrap import Platform, bootstrap
from stellwerk.calls import service
from stellwerk.calls.settling import CHANNEL
from stellwerk.jobs.bulk import submit_all
from stellwerk.jobs.submission import Submission, submit
from stellwerk.settings import Settings
from switchboard import Switchboard, dialling_over, running_switchboard

pytestmark = [pytest.mark.chaos, pytest.mark.xdist_group("many calls"), pytest.mark.timeout(300)]

AT_ONCE = 200
PER_S, FOR_S = 30, 20
MEMORY_MAX_BYTES = 400 * 2**20
IDLE_MAX_PERCENT = 10.0  # of the processors, while fewer calls are begun than asked for

_STATES = text("SELECT state, count(*) FROM calls GROUP BY state")
_RUNNING = text("SELECT count(*) FROM jobs WHERE status = 'running'")
_HANG_UP = text("UPDATE calls SET hangup_asked_at = now()")
_NOTIFY = text("SELECT pg_notify(:channel, '')")
_RATE = text("""
    SELECT (count(*) - 1) / extract(epoch FROM max(intended_at) - min(intended_at)) FROM calls
""")
_KINDS = text("SELECT kind, count(DISTINCT call_id) FROM call_events GROUP BY kind")
_ENDS = text("SELECT status, count(*) FROM jobs GROUP BY status")
_TOLD = text("SELECT name, count(DISTINCT job_id) FROM job_signals GROUP BY name")


@pytest.fixture(scope="module")
def switch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switchboard]:
    folder = tmp_path_factory.mktemp("switch")
    with running_switchboard(folder, sessions_per_s=10 * PER_S) as running:
        yield running


@pytest.fixture(scope="module")
def busy(settings: Settings, switch: Switchboard) -> Settings:
    """Settings of a platform that makes many calls."""
    return dialling_over(
        switch,
        settings,
        calls_per_s=PER_S + 2,
        concurrent_calls_limits={"enterprise": 10_000},
        daily_call_limits={"enterprise": 10_000},
        call_lease_s=10.0,
    )


@pytest.fixture(scope="module")
def calling(
    shared_platform: Platform, busy: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    stop_engines()
    empty(shared_platform)
    engine = Engine(busy, tmp_path_factory.mktemp("calling"))
    try:
        for role in ("short", "dispatcher", "telephony"):
            engine.start(role)
        yield engine
    finally:
        engine.stop()


@pytest.fixture
def caller(platform: Platform, busy: Settings, calling: Engine) -> Iterator[Platform]:
    """A platform that accepts as many calls as one likes."""
    assert calling.processes
    del platform  # it is empty now
    made = bootstrap(busy, role="tests")
    yield made
    made.close()


def call_many(platform: Platform, count: int, ending: str) -> None:
    """Jobs whose calls may be dialled at once, whether a worker has come to them or not."""
    user_id = add_user(platform, subscription_tier="enterprise")
    jobs = [
        originate(platform, user_id, number_of(one, ending), max_duration_s=600)
        for one in range(count)
    ]
    with platform.runtime.sessions.begin() as session:
        for job_id in jobs:
            service.ask(session, job_id)


def number_of(one: int, ending: str) -> str:
    return f"+4930{100_000 + one}{ending}"


def counted(platform: Platform, query: Any) -> dict[str, int]:
    with platform.runtime.sessions() as session:
        return {row[0]: row[1] for row in session.execute(query)}


def test_hundreds_of_calls_at_once_hold_no_worker_and_little_memory(
    caller: Platform, calling: Engine
) -> None:
    call_many(caller, AT_ONCE, "1010")
    wait_until(lambda: counted(caller, _STATES) == {"answered": AT_ONCE}, timeout_s=120)
    wait_until(lambda: nobody_runs(caller))
    echo = submit(caller.runtime, Submission("diagnostics.echo", {}, owner_id=None))
    assert ended(caller, echo, timeout_s=5)["status"] == "completed"
    used_bytes = psutil.Process(calling.processes["telephony"].pid).memory_info().rss
    print(f"{AT_ONCE} calls at once: {used_bytes / 2**20:.0f} MiB")  # noqa: T201  a figure
    assert used_bytes < MEMORY_MAX_BYTES

    with caller.runtime.sessions.begin() as session:
        session.execute(_HANG_UP)
        session.execute(_NOTIFY, {"channel": CHANNEL})
    wait_until(lambda: counted(caller, _STATES) == {"completed": AT_ONCE})


def test_thirty_calls_a_second_begin_for_twenty_seconds_and_no_event_is_lost(
    caller: Platform, calling: Engine, switch: Switchboard
) -> None:
    """The worker is away meanwhile: it is the telephony process that is measured."""
    count = PER_S * FOR_S
    for role in ("short", "telephony"):
        calling.kill(role, signal.SIGTERM)
    call_many(caller, count, "1000")
    calling.start("telephony")

    wait_until(lambda: counted(caller, _STATES) == {"completed": count}, timeout_s=120)
    heard = counted(caller, _KINDS)
    assert {heard[kind] for kind in ("created", "answered", "hung_up")} == {count}
    assert {switch.dials(number_of(one, "1000")) for one in range(count)} == {1}
    with caller.runtime.sessions() as session:
        rate = float(session.scalars(_RATE).one())
    print(f"{rate:.1f} calls begun a second")  # noqa: T201  a figure
    assert rate >= PER_S
    assert counted(caller, _TOLD) == {"call.ended": count}


def test_with_their_jobs_as_many_are_begun_as_the_processors_carry(
    caller: Platform, calling: Engine, switch: Switchboard
) -> None:
    """Thirty a second where there is room for them: nothing else may hold them up."""
    calling.restart_what_ended()
    count = PER_S * FOR_S
    owner_id = add_user(caller, subscription_tier="enterprise")
    numbers = [number_of(count + one, "1000") for one in range(count)]
    fields = {"max_duration_s": 600}
    psutil.cpu_times_percent()
    submit_all(
        caller.runtime,
        [Submission("calls.originate", {"to": to, **fields}, owner_id) for to in numbers],
    )
    wait_until(lambda: not any_queued(caller), timeout_s=200)
    idle_percent = psutil.cpu_times_percent().idle
    wait_until(lambda: counted(caller, _ENDS) == {"completed": count}, timeout_s=120)

    heard = counted(caller, _KINDS)
    assert {heard[kind] for kind in ("created", "answered", "hung_up")} == {count}
    assert {switch.dials(number) for number in numbers} == {1}
    with caller.runtime.sessions() as session:
        rate = float(session.scalars(_RATE).one())
    print(f"{rate:.1f} calls begun a second, {idle_percent:.0f} % idle")  # noqa: T201  a figure
    assert rate >= PER_S or idle_percent < IDLE_MAX_PERCENT


def nobody_runs(platform: Platform) -> bool:
    with platform.runtime.sessions() as session:
        return not session.scalar(_RUNNING)


def any_queued(platform: Platform) -> bool:
    return counted(platform, _STATES).get("queued", 0) > 0
