"""Acts put on record, each in a transaction of its own: their chain is one line for everybody."""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from secrets import token_hex
from typing import Any

from benchmarks.distribution import milliseconds
from benchmarks.sizes import Sizes
from benchmarks.stage import Stage
from stellwerk.audit.actions import Action
from stellwerk.audit.origin import Origin, comes_from
from stellwerk.audit.trail import record
from stellwerk.bootstrap import Platform, bootstrap
from stellwerk.identity.model import User

THREADS = (1, 8)
WARM_UP = 20
CLIENT = Origin(address="192.0.2.7", user_agent="bench", request_id="r-1", credential="key:k")


def measure(stage: Stage, sizes: Sizes) -> dict[str, Any]:
    """Acts a second, and how long each takes with its COMMIT, by number of threads."""
    platform = bootstrap(stage.settings, role="bench", pool_size=max(THREADS))
    try:
        return {str(number): _with(platform, number, sizes.records) for number in THREADS}
    finally:
        platform.close()


def lines(figures: Mapping[str, Any]) -> list[str]:
    """One table."""
    return [
        "| acts put on record | a second | p50, ms | p95, ms |",
        "| --- | ---: | ---: | ---: |",
        *(
            f"| by {number} thread{'s' * (number != '1')} of one process | {one['per_s']:,.0f} "
            f"| {one['p50_ms']:.1f} | {one['p95_ms']:.1f} |"
            for number, one in figures.items()
        ),
    ]


def _with(platform: Platform, threads: int, count: int) -> dict[str, Any]:
    users = [_user(platform) for _ in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(partial(_acts, platform, WARM_UP), users))
        began = time.perf_counter()
        took = [one for some in pool.map(partial(_acts, platform, count), users) for one in some]
        lasted_s = time.perf_counter() - began
    return {"per_s": round(len(took) / lasted_s, 1), **milliseconds(took)}


def _acts(platform: Platform, count: int, user_id: int) -> list[float]:
    comes_from(CLIENT)
    return [_act(platform, user_id) for _ in range(count)]


def _act(platform: Platform, user_id: int) -> float:
    began = time.perf_counter()
    with platform.runtime.sessions.begin() as session:
        record(
            session,
            action=Action.SESSION_STARTED,
            actor=user_id,
            subject_user_id=user_id,
            details={"way": "password"},
        )
    return time.perf_counter() - began


def _user(platform: Platform) -> int:
    name = token_hex(6)
    with platform.runtime.sessions.begin() as session:
        made = User(email=f"{name}@example.com", username=name, password_hash="!")  # noqa: S106  nobody can sign in with it
        session.add(made)
        session.flush()
        return made.id
