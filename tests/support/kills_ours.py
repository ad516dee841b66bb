"""Stellwerk under hard kills: real workers and a dispatcher on real servers."""

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import text

from embedded import running_postgres, running_valkey, wait_until
from engine import SLOTS, Engine
from kills import CALL_S, Tally, play
from rescues import RESCUE_MARGIN_S, Rescues
from stellwerk.bootstrap import Platform, bootstrap
from stellwerk.db.migrate import upgrade
from stellwerk.diagnostics.recorder import recorder
from stellwerk.jobs.queues import choices
from stellwerk.jobs.submission import Submission, submit
from stellwerk.live.status import Shown
from stellwerk.settings import load_settings

ROLES = ("short", "long")
KINDS = ("idempotent", "probe", "blind")
SUBMITTERS = 4
UUID_LENGTH = 36
AT_ONCE = SLOTS["long"]  # effects under way: so many a kill of the worker can leave in doubt
KEY = "only-for-tests-0123456789-0123456789-0123456789"
ALL_ENDED_WITHIN_S = 600.0
STATUS_TTL_S = 86_400  # beyond the longest run: at its end every job's status is there to compare
SHOWN_WITHIN_S = 20.0  # what nobody shows again is never shown

_FINISHED = text("SELECT count(*) FROM jobs WHERE finished_at IS NOT NULL")
_ENDS = text("""
    SELECT id, operation, status, version, payload ->> 'kind' AS kind, error ->> 'code' AS code
    FROM jobs ORDER BY id
""")


@dataclass(slots=True)
class LedgerTally(Tally):
    """What can be told besides where a ledger keeps account."""

    uncertain: int = 0  # reported to a person: nobody can tell whether it happened
    whole: int = 0  # kills of the long worker, which alone runs effects
    children: int = 0  # kills of a child of it
    compared: int = 0  # jobs whose status in Redis was held against the ledger
    wrong: list[str] = field(default_factory=list)  # the status that clients see is not the truth
    rescued: int = 0  # attempts and wake-ups that kills took, and that came again
    slowest_rescue_s: float | None = None  # from the kill to the next claim
    rescue_within_s: float = 0.0  # what is promised
    left: list[str] = field(default_factory=list)  # taken, and never seen again

    def row(self) -> dict[str, float | None]:
        """See `Tally.row`."""
        return {
            **Tally.row(self),
            "long worker killed": self.whole,
            "child of it killed": self.children,
            "uncertain": self.uncertain,
            "statuses compared": self.compared,
            "wrong status": len(self.wrong),
            "rescued": self.rescued,
            "slowest rescue, s": round(self.slowest_rescue_s or 0.0, 1) or None,
        }

    @property
    def doubts_at_most(self) -> int:
        """Calls that the kills can have interrupted."""
        return self.whole * AT_ONCE + self.children

    def faults(self) -> list[str]:
        """Every promise that was broken, in words."""
        found = [f"{job}: lost" for job in self.lost]
        found += [f"{job}: its effect happened twice" for job in self.twice]
        found += [f"{job}: shown otherwise than it is" for job in self.wrong]
        found += [f"{job}: taken by a kill, and nobody claimed it again" for job in self.left]
        if self.compared != self.jobs:
            found.append(f"{self.compared} of {self.jobs} statuses could be compared")
        if self.uncertain > self.doubts_at_most:
            found.append(f"{self.uncertain} jobs in doubt, where {self.doubts_at_most} can be")
        if self.slowest_rescue_s is None:
            found.append("no kill took anything")
        elif self.slowest_rescue_s > self.rescue_within_s:
            found.append(f"rescue took {self.slowest_rescue_s:.1f} s, not {self.rescue_within_s}")
        return found


@dataclass(slots=True)
class OurFleet:
    """The roles of an engine."""

    engine: Engine
    rescues: Rescues
    kills: Counter[tuple[str, bool]] = field(default_factory=Counter)  # role, whether whole

    def workers(self) -> Mapping[str, int]:
        """Role to pid."""
        return {role: self.engine.processes[role].pid for role in ROLES}

    def struck(self, role: str, *, is_whole: bool) -> None:
        """Watch what it took."""
        self.kills[role, is_whole] += 1
        self.rescues.struck(choices(role))

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
            job_status_ttl_s=STATUS_TTL_S,
            **given,
        )
        upgrade(settings.database())
        platform = bootstrap(settings, role="kills")
        try:
            yield platform
        finally:
            platform.close()


def run_ours(platform: Platform, folder: Path, *, jobs: int, kills: int) -> LedgerTally:
    """Submit, kill, wait for the end of everything, and count."""
    engine = Engine(platform.settings, folder)
    rescues = Rescues(platform)
    fleet = OurFleet(engine, rescues)
    began = time.monotonic()
    try:
        for role in (*ROLES, "dispatcher"):
            engine.start(role)
        with ThreadPoolExecutor(SUBMITTERS) as pool:
            accepted = [pool.submit(_submit, platform, number) for number in range(jobs)]
            play(fleet, jobs=jobs, kills=kills, done=lambda: _finished(platform))
            ids = {future.result() for future in accepted}
        wait_until(lambda: _finished(platform) == jobs, timeout_s=ALL_ENDED_WITHIN_S)
        tally = LedgerTally(jobs, kills, time.monotonic() - began)
        _compare(platform, tally)
    finally:
        rescues.stop()
        engine.stop()
    _count(platform, ids, tally)
    tally.whole, tally.children = fleet.kills["long", True], fleet.kills["long", False]
    tally.rescued, tally.slowest_rescue_s = rescues.count, rescues.slowest_s
    tally.left = [str(job_id) for job_id in rescues.left()]
    tally.rescue_within_s = platform.settings.job_lease_s + RESCUE_MARGIN_S
    return tally


def _submit(platform: Platform, number: int) -> UUID:
    """Two of three jobs do something to the outside world, each third in another way."""
    if number % 3 == 0:
        return submit(platform.runtime, Submission("diagnostics.echo", {}, owner_id=None))
    payload = {"kind": KINDS[number // 3 % 3], "call_s": CALL_S}
    return submit(platform.runtime, Submission("diagnostics.effect", payload, owner_id=None))


def _finished(platform: Platform) -> int:
    with platform.runtime.sessions() as session:
        return session.scalar(_FINISHED) or 0


def _count(platform: Platform, accepted: set[UUID], tally: LedgerTally) -> None:
    calls = recorder(platform.settings).counts()
    by_job = Counter[str]()
    for key, count in calls.items():
        by_job[key[:UUID_LENGTH]] += count
    with platform.runtime.sessions() as session:
        ends = {row.id: row for row in session.execute(_ENDS)}
    tally.lost = [str(job_id) for job_id in accepted - ends.keys()]
    for job_id, row in ends.items():
        _count_one(row, by_job[str(job_id)], tally)


def _count_one(row: Any, times: int, tally: LedgerTally) -> None:
    if times > 1:
        tally.twice.append(str(row.id))
    if row.code == "EFFECT_UNCERTAIN" and row.kind == "blind":  # of the others one can tell
        tally.uncertain += 1
    elif row.status != "completed" or (row.operation == "diagnostics.effect" and times == 0):
        tally.lost.append(f"{row.id} {row.operation} {row.status} {row.code} {times}")


def _compare(platform: Platform, tally: LedgerTally) -> None:
    """What Redis shows of every job is what the ledger has, a moment after the last end."""
    with platform.runtime.sessions() as session:
        ends = session.execute(_ENDS).all()
    deadline = time.monotonic() + SHOWN_WITHIN_S
    while _differ(platform, ends, tally) and time.monotonic() < deadline:
        time.sleep(0.1)


def _differ(platform: Platform, ends: Sequence[Any], tally: LedgerTally) -> bool:
    """Look at all of them once; what Redis does not show at all is wrong, and not compared."""
    shown = {row.id: platform.live.read(row.id) for row in ends}
    tally.compared = sum(one is not None for one in shown.values())
    tally.wrong = [str(row.id) for row in ends if not _is_the_truth(shown[row.id], row)]
    return bool(tally.wrong)


def _is_the_truth(shown: Shown | None, row: Any) -> bool:
    if shown is None:
        return False
    return (shown.version, json.loads(shown.document)["status"]) == (row.version, row.status)
