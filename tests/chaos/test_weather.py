"""A whole stack while jobs with effects run in it, and something is killed, emptied or cut off.

After each: everything that was accepted has ended, its effect happened once by the count of an
outside world, and what clients poll is what the ledger has.
"""

import os
import signal
from collections.abc import Callable
from contextlib import closing

import psycopg2
import pytest
import redis

from embedded import wait_until
from full_stack import Client
from stack_runs import StackRun
from stellwerk.diagnostics.recorder import Recorder
from stellwerk.settings import Settings, load_settings
from stellwerk.stack.plan import joined_settings

pytestmark = [pytest.mark.chaos, pytest.mark.xdist_group("stack"), pytest.mark.timeout(240)]

CUT_OFF = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


def settings_of(run: StackRun) -> Settings:
    return joined_settings(load_settings(home=run.home.path, database_url="", redis_url=""))


def kill(name: str) -> Callable[[StackRun], None]:
    """SIGKILL of one of the stack's processes, which is started again."""

    def strike(run: StackRun) -> None:
        pid = run.pid_of(name)
        assert pid, run.output
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: run.pid_of(name) not in {None, pid}, timeout_s=30)

    strike.__name__ = f"kill {name}"
    return strike


def empty_redis(run: StackRun) -> None:
    with closing(redis.Redis.from_url(settings_of(run).redis())) as client:
        client.flushall()


def cut_connections(run: StackRun) -> None:
    url = settings_of(run).database_url.get_secret_value()
    with closing(psycopg2.connect(url)) as connection:
        connection.cursor().execute(CUT_OFF)


STRIKES = [
    kill("dispatcher"),
    kill("beat"),
    kill("web"),
    kill("realtime"),
    kill("valkey"),
    kill("worker_short"),
    kill("worker_long"),
    empty_redis,
    cut_connections,
]


@pytest.mark.parametrize("strike", STRIKES, ids=lambda strike: strike.__name__.replace(" ", "_"))
def test_jobs_with_effects_survive(
    run: StackRun, operator: Client, strike: Callable[[StackRun], None]
) -> None:
    slow = {"kind": "probe", "count": 3, "call_s": 0.3}
    effects = [operator.submit("diagnostics.effect", slow) for _ in range(3)]
    effects.append(operator.submit("diagnostics.effect", {"kind": "idempotent"}))
    echoes = [operator.submit("diagnostics.echo", {}) for _ in range(5)]
    wait_until(lambda: operator.has(effects[0], "running"))

    strike(run)

    wait_until(lambda: operator.request("GET", "/health/ready").ok, timeout_s=30)
    for job_id in (*effects, *echoes):
        job = operator.ended(job_id, timeout_s=90)
        assert (job["status"], job["failures"]) == ("completed", 0), job
    world = Recorder(run.home.path / "diagnostics" / "effects").counts()
    for job_id in effects:
        counts = {key: count for key, count in world.items() if key.startswith(job_id)}
        assert set(counts.values()) == {1}, counts
    listed = {job["job_id"]: job for job in operator.expect(200, "GET", "/jobs?limit=50")["items"]}
    assert all(operator.job(job_id) == listed[job_id] for job_id in (*effects, *echoes))
