"""Stellwerk under hard kills: real workers and a dispatcher on real servers."""

import json
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import text

from embedded import running_postgres, running_valkey, wait_until
from engine import Engine
from kills import Tally, play
from stellwerk.bootstrap import Platform, bootstrap
from stellwerk.db.migrate import upgrade
from stellwerk.diagnostics.recorder import recorder
from stellwerk.jobs import queries
from stellwerk.jobs.submission import Submission, submit
from stellwerk.settings import load_settings

ROLES = ("short", "long")
KINDS = ("idempotent", "probe", "blind")
SUBMITTERS = 4
KEY = "only-for-tests-0123456789-0123456789-0123456789"
ALL_ENDED_WITHIN_S = 600.0

_FINISHED = text("SELECT count(*) FROM jobs WHERE finished_at IS NOT NULL")
_ENDS = text("""
    SELECT id, operation, status, version, result, error ->> 'code' AS code FROM jobs ORDER BY id
""")
_SLOWEST = text("""
    SELECT max(extract(epoch FROM l.at - j.started_at))
    FROM job_logs l JOIN jobs j ON j.id = l.job_id
    WHERE l.message LIKE 'attempt 1 was lost:%'
""")


@dataclass(slots=True)
class OurFleet:
    """The roles of an engine."""

    engine: Engine

    def workers(self) -> Mapping[str, int]:
        """Role to pid."""
        return {role: self.engine.processes[role].pid for role in ROLES}

    def start(self, role: str) -> None:
        """Start it again."""
        self.engine.processes[role].wait(30)
        self.engine.start(role)


@contextmanager
def our_platform(folder: Path, **given: Any) -> Iterator[Platform]:
    """A platform of its own in a folder, with nobody at work yet."""
    with running_postgres(folder / "pg") as database, running_valkey(folder / "redis") as redis:
        settings = load_settings(
            database_url=database,
            redis_url=redis,
            jwt_secret_key=KEY,
            encryption_key=KEY[::-1],
            home=folder / "home",
            **given,
        )
        upgrade(settings.database())
        platform = bootstrap(settings, role="kills")
        try:
            yield platform
        finally:
            platform.close()


def run_ours(platform: Platform, folder: Path, *, jobs: int, kills: int) -> Tally:
    """Submit, kill, wait for the end of everything, and count."""
    engine = Engine(platform.settings, folder)
    fleet = OurFleet(engine)
    began = time.monotonic()
    try:
        for role in (*ROLES, "dispatcher"):
            engine.start(role)
        with ThreadPoolExecutor(SUBMITTERS) as pool:
            accepted = [pool.submit(_submit, platform, number) for number in range(jobs)]
            play(fleet, jobs=jobs, kills=kills, done=lambda: _finished(platform))
            ids = {future.result() for future in accepted}
        wait_until(lambda: _finished(platform) == jobs, timeout_s=ALL_ENDED_WITHIN_S)
    finally:
        engine.stop()
    tally = Tally(jobs, kills, time.monotonic() - began)
    _count(platform, ids, tally)
    tally.slowest_rescue_s = _slowest_rescue_s(platform)
    return tally


def _submit(platform: Platform, number: int) -> UUID:
    """Two of three jobs do something to the outside world, each third in another way."""
    if number % 3 == 0:
        return submit(platform.runtime, Submission("diagnostics.echo", {}, owner_id=None))
    payload = {"kind": KINDS[number // 3 % 3]}
    return submit(platform.runtime, Submission("diagnostics.effect", payload, owner_id=None))


def _finished(platform: Platform) -> int:
    with platform.runtime.sessions() as session:
        return session.scalar(_FINISHED) or 0


def _count(platform: Platform, accepted: set[UUID], tally: Tally) -> None:
    calls = recorder(platform.settings).counts()
    with platform.runtime.sessions() as session:
        ends = {row.id: row for row in session.execute(_ENDS)}
    tally.lost = [str(job_id) for job_id in accepted - ends.keys()]
    for job_id, row in ends.items():
        times = sum(count for key, count in calls.items() if key.startswith(str(job_id)))
        _count_one(row, times, tally)
        _compare(platform, job_id, tally)


def _count_one(row: Any, times: int, tally: Tally) -> None:
    if times > 1:
        tally.twice.append(str(row.id))
    if row.code == "EFFECT_UNCERTAIN":
        tally.uncertain += 1
    elif row.status != "completed" or (row.operation == "diagnostics.effect" and times == 0):
        tally.lost.append(f"{row.id} {row.operation} {row.status} {row.code} {times}")


def _compare(platform: Platform, job_id: UUID, tally: Tally) -> None:
    """What Redis shows, if it still shows it, is what the ledger has."""
    shown = platform.live.read(job_id)
    if shown is None:
        return
    with platform.runtime.sessions() as session:
        truth = queries.change(session, platform.runtime.registry, job_id)
    status = json.loads(shown.document)["status"]
    if (shown.version, status) != (truth.version, truth.document["status"]):
        tally.wrong.append(str(job_id))


def _slowest_rescue_s(platform: Platform) -> float:
    """From the start of a first attempt that was lost to its rescue: a little over the truth."""
    with platform.runtime.sessions() as session:
        return float(session.scalar(_SLOWEST) or 0)
