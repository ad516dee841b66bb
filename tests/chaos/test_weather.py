"""A whole stack while jobs with effects run in it, and something is killed, emptied or cut off.

All the while somebody submits. After each: everything that was accepted is there once and has
ended, its effect happened once by the count of an outside world, what clients poll is what the
ledger has, and what a killed worker held was claimed again soon.
"""

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from secrets import token_hex
from uuid import UUID

import psycopg2
import pytest
import redis
import requests
from sqlalchemy import text

from embedded import wait_until
from full_stack import LEASE_S, Client
from rescues import RESCUE_MARGIN_S, Rescues
from stack_runs import StackRun
from stellwerk.bootstrap import Platform, bootstrap
from stellwerk.diagnostics.recorder import recorder
from stellwerk.jobs import queries
from stellwerk.jobs.queues import choices, slots
from stellwerk.settings import Settings, load_settings
from stellwerk.stack.plan import joined_settings
from stream import Stream
from twice import everything_twice

pytestmark = [pytest.mark.chaos, pytest.mark.xdist_group("stack"), pytest.mark.timeout(240)]

ANSWER_WITHIN_S = 2.0
FROZEN_S = 12.0  # longer than a lease
RESCUE_WITHIN_S = LEASE_S + RESCUE_MARGIN_S
# What is promised with the defaults: hundreds that ran in lists start again singly, on two slots.
ONE_BY_ONE_WITHIN_S = 45.0
CUT_OFF = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_TAGGED = text("SELECT id FROM jobs WHERE tags @> ARRAY[CAST(:tag AS varchar)]")
_OUTSTANDING = text("""
    SELECT count(*) FROM jobs
    WHERE queue = 'short' AND status = 'queued' AND published_at IS NOT NULL
""")
_COMPLETED = text("""
    SELECT count(DISTINCT j.id), count(*) FROM jobs j JOIN job_logs l ON l.job_id = j.id
    WHERE j.tags @> ARRAY[CAST(:tag AS varchar)] AND j.status = 'completed'
        AND l.message = 'completed'
""")


@dataclass(frozen=True, slots=True)
class Scene:
    """A stack, who looks into its ledger, and who watches what kills take."""

    run: StackRun
    platform: Platform
    rescues: Rescues


@pytest.fixture(scope="module")
def platform(run: StackRun) -> Iterator[Platform]:
    """Collaborators that look into the stack's own servers."""
    looking = bootstrap(settings_of(run), role="tests")
    yield looking
    looking.close()


@pytest.fixture
def scene(run: StackRun, platform: Platform) -> Iterator[Scene]:
    rescues = Rescues(platform)
    yield Scene(run, platform, rescues)
    rescues.stop()


def settings_of(run: StackRun) -> Settings:
    return joined_settings(load_settings(home=run.home.path, database_url="", redis_url=""))


def kill(name: str) -> Callable[[Scene], None]:
    """SIGKILL of one of the stack's processes, which is started again."""

    def strike(scene: Scene) -> None:
        pid = scene.run.pid_of(name)
        assert pid, scene.run.output
        os.kill(pid, signal.SIGKILL)
        if name.startswith("worker_"):
            scene.rescues.struck(choices(name.removeprefix("worker_")))
        wait_until(lambda: scene.run.pid_of(name) not in {None, pid})

    strike.__name__ = f"kill {name}"
    return strike


def empty_redis(scene: Scene) -> None:
    with closing(redis.Redis.from_url(settings_of(scene.run).redis())) as client:
        client.flushall()


def cut_connections(scene: Scene) -> None:
    url = settings_of(scene.run).database_url.get_secret_value()
    with closing(psycopg2.connect(url)) as connection:
        connection.cursor().execute(CUT_OFF)


def lose_redis(scene: Scene) -> None:
    """Kill it and remove its files before the supervisor starts it again."""
    pid = scene.run.pid_of("valkey") or 0
    os.kill(pid, signal.SIGSTOP)
    shutil.rmtree(scene.run.home.path / "valkey" / "appendonlydir")
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: scene.run.pid_of("valkey") not in {pid, None})


def freeze_redis(scene: Scene) -> None:
    """It takes connections, and answers nothing."""
    pid = scene.run.pid_of("valkey") or 0
    thaws_at = time.monotonic() + FROZEN_S
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: time.monotonic() > thaws_at, timeout_s=FROZEN_S + 5)
    finally:
        os.kill(pid, signal.SIGCONT)


# They end connections to the web process, or take from it what it stores jobs in.
ASKED_AGAIN = [kill("edge"), kill("web"), cut_connections, kill("postgres")]
# Through these every request is answered at once, and for good.
UNNOTICED = [
    kill("dispatcher"),
    kill("beat"),
    kill("realtime"),
    kill("valkey"),
    kill("worker_short"),
    kill("worker_long"),
    empty_redis,
    lose_redis,
    freeze_redis,
]


@pytest.mark.parametrize(
    "strike", [*ASKED_AGAIN, *UNNOTICED], ids=lambda strike: strike.__name__.replace(" ", "_")
)
def test_jobs_with_effects_survive(
    scene: Scene, operator: Client, strike: Callable[[Scene], None]
) -> None:
    slow = {"kind": "probe", "count": 3, "call_s": 0.3}
    with Stream(operator, asks_again=strike in ASKED_AGAIN) as stream:
        wait_until(lambda: stream.has(5))
        effects = [operator.submit("diagnostics.effect", slow) for _ in range(3)]
        stepwise = operator.submit("diagnostics.sleep", {"seconds": 3, "steps": 6})
        wait_until(lambda: operator.has(effects[0], "running"))
        waits = [operator.submit("diagnostics.echo", {"wait_ms": 1000}) for _ in range(3)]
        wait_until(lambda: operator.has(waits[0], "running"))

        strike(scene)

        wait_until(lambda: is_ready(operator))
        before = len(stream.accepted)
        wait_until(lambda: stream.has(before + 5))

    assert_all_is_well(
        scene.platform, operator, stream, [*effects, *stream.effects()], [stepwise, *waits]
    )
    assert strike in ASKED_AGAIN or stream.client.slowest_s < ANSWER_WITHIN_S
    if strike.__name__.startswith("kill worker_"):
        assert_rescued(scene, within_s=RESCUE_WITHIN_S)


def test_a_backlog_that_comes_twice_is_worked_off_once(scene: Scene, operator: Client) -> None:
    """Two bulk submissions fill the short queue, every message is sent twice, and a worker dies."""
    tag = f"backlog-{token_hex(6)}"
    window = Window(scene.platform)
    entry = {"operation": "diagnostics.echo", "payload": {"wait_ms": 5}, "tags": [tag]}
    redis_url = settings_of(scene.run).redis()
    with everything_twice(redis_url) as twice, Stream(operator) as stream:
        effects = [operator.submit("diagnostics.effect", {"kind": "probe"}) for _ in range(5)]
        for _ in range(2):
            operator.expect(202, "POST", "/jobs/bulk", json={"jobs": [entry] * 1000})
        window.watch_until(lambda: twice.lists > 5, timeout_s=60)
        window.watch_until(lambda: died_at_work(scene), timeout_s=60)
        window.watch_until(lambda: completed(scene.platform, tag) == (2000, 2000), timeout_s=120)

    settings = settings_of(scene.run)
    assert 0 < window.most <= slots(settings, "short") * settings.job_window_factor_max
    assert twice.messages > twice.lists
    assert_all_is_well(scene.platform, operator, stream, [*effects, *stream.effects()])
    assert_rescued(scene, within_s=ONE_BY_ONE_WITHIN_S)


def is_ready(client: Client) -> bool:
    try:
        return client.request("GET", "/health/ready").ok
    except requests.ConnectionError:  # the edge may be what was killed
        return False


def assert_rescued(scene: Scene, *, within_s: float) -> None:
    """The kill took something, and all of it was claimed again in time."""
    wait_until(lambda: not scene.rescues.left(), timeout_s=within_s)
    assert scene.rescues.slowest_s is not None
    assert scene.rescues.slowest_s <= within_s


def died_at_work(scene: Scene) -> bool:
    """The worker of short jobs was killed, unless it had nothing in hand just now.

    It is frozen before, so that what it has in hand is still there when it dies.
    """
    pid = scene.run.pid_of("worker_short")
    assert pid, scene.run.output
    os.kill(pid, signal.SIGSTOP)
    if not scene.rescues.in_hand(choices("short")):
        os.kill(pid, signal.SIGCONT)
        return False
    kill("worker_short")(scene)
    return True


@dataclass(slots=True)
class Window:
    """How many wake-ups were outstanding at most: sent, and nobody had claimed their jobs."""

    platform: Platform
    most: int = 0

    def watch_until(self, condition: Callable[[], object], *, timeout_s: float) -> None:
        """Look before each poll of the condition."""
        wait_until(lambda: self._look() and condition(), timeout_s=timeout_s)

    def _look(self) -> bool:
        with self.platform.runtime.sessions() as session:
            self.most = max(self.most, session.scalar(_OUTSTANDING) or 0)
        return True


def completed(platform: Platform, tag: str) -> tuple[int, int]:
    """How many jobs have completed, and how often an attempt said so."""
    with platform.runtime.sessions() as session:
        jobs, lines = session.execute(_COMPLETED, {"tag": tag}).one()
    return jobs, lines


def assert_all_is_well(
    platform: Platform,
    client: Client,
    stream: Stream,
    effects: list[str],
    others: Sequence[str] = (),
) -> None:
    """All have ended, once, with their effects; what is polled is what the ledger has."""
    jobs = {*effects, *others, *stream.jobs()}
    shown = {job_id: client.ended(job_id, timeout_s=90) for job_id in jobs}
    assert {(job["status"], job["failures"]) for job in shown.values()} == {("completed", 0)}
    assert stream.ask_again() == stream.accepted

    counts = recorder(platform.settings).counts()
    done = {
        job_id: [n for key, n in counts.items() if key.startswith(job_id)] for job_id in effects
    }
    assert {times for found in done.values() for times in found or [0]} == {1}
    with platform.runtime.sessions() as session:
        stored = {str(job_id) for job_id in session.scalars(_TAGGED, {"tag": stream.tag})}
        changes = queries.changes(session, platform.runtime.registry, map(UUID, jobs))
    assert stored == set(stream.jobs())
    assert {str(change.job_id): change.document for change in changes} == shown
