"""Working off a backlog, beside the systems a user would pick instead."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from statistics import median
from typing import Any

from benchmarks import ledger
from benchmarks.distribution import compared, spread
from benchmarks.people import sign_in
from benchmarks.sizes import Sizes
from benchmarks.stage import Stage, Start, wait_until
from benchmarks.systems import CELERY, CELERY_THREADS, Rival, rivals

LOOK_EVERY_S = 0.05
DRAINED_WITHIN_S = 240.0
FILLED_WITHIN_S = 120.0
WARM_UP = 20
WORK_MS = (0, 5)
QUEUES = {"single": "long", "batches": "short"}
BARE_CELERY = (CELERY, CELERY_THREADS)  # the faster one of a turn counts

Rates = dict[str, dict[str, list[float]]]  # by system and by milliseconds


def measure(stage: Stage, sizes: Sizes) -> dict[str, Any]:
    """Jobs per second by system and by milliseconds of waiting in each job."""
    rates: Rates = {}
    for turn in range(sizes.drain_rounds):
        for wait_ms in WORK_MS if turn == 0 else WORK_MS[:1]:
            for name, one in _contenders(stage, sizes, first=turn == 0).items():
                rate = one(wait_ms)
                rates.setdefault(name, {}).setdefault(str(wait_ms), []).append(rate)
    return summed_up(rates)


def summed_up(rates: Rates) -> dict[str, Any]:
    """Medians, and the goals' ratios."""
    found = {
        name: {wait: round(median(values), 1) for wait, values in by_wait.items()}
        for name, by_wait in rates.items()
    }
    return {"jobs_per_s": found, "ratio_to_celery": {kind: _ratio(rates, kind) for kind in QUEUES}}


def lines(figures: Mapping[str, Any]) -> list[str]:
    """Rates, each the median of its turns; then the ratios of the goals, taken turn by turn."""
    shown = {
        "single": "Stellwerk, one message a job (long queue, processes)",
        "batches": "Stellwerk, short queue (threads)",
    }
    rates = figures["jobs_per_s"]
    celery = rates[CELERY.name]["0"]
    return [
        "| jobs a second | no-op | 5 ms of waiting | no-op / Celery's default pool |",
        "| --- | ---: | ---: | ---: |",
        *(
            f"| {shown.get(name, name)} | {found['0']:,.0f} | {found['5']:,.0f} "
            f"| {found['0'] / celery:.2f} |"
            for name, found in rates.items()
        ),
        "",
        "| no-op / Celery's faster pool in the same turn, as in the goals | median (range) |",
        "| --- | ---: |",
        *(f"| {shown[kind]} | {spread(figures['ratio_to_celery'][kind])} |" for kind in QUEUES),
    ]


def _contenders(stage: Stage, sizes: Sizes, *, first: bool) -> dict[str, Callable[[int], float]]:
    """Those whose ratio is a goal in every turn, the rest once."""
    jobs = {"single": sizes.drain_single_jobs, "batches": sizes.drain_batch_jobs}
    ours = {kind: partial(_ours, stage, QUEUES[kind], jobs[kind]) for kind in QUEUES}
    counts = {True: sizes.drain_forking_jobs, False: sizes.drain_rival_jobs}
    others = rivals(everybody=first and sizes.everybody)
    theirs = {
        rival.name: partial(_theirs, stage, rival, counts[rival.forks])
        for rival in dict.fromkeys((*BARE_CELERY, *others))
    }
    return {**ours, **theirs}


def _ours(stage: Stage, queue: str, count: int, wait_ms: int) -> float:
    """The backlog is committed at once while a warm worker waits; the ledger tells the rate."""
    ledger.clear(stage)
    owner_id = sign_in(stage)[0].user_id
    with stage.running("dispatcher", f"worker_{queue}"):
        ledger.add_waiting(stage, WARM_UP, owner_id=owner_id, queue=queue)
        wait_until(lambda: ledger.finished(stage) == WARM_UP, within_s=DRAINED_WITHIN_S)
        ledger.clear(stage)
        ledger.settle(stage)
        ledger.add_waiting(stage, count, owner_id=owner_id, queue=queue, wait_ms=wait_ms)
        wait_until(lambda: ledger.is_drained(stage), within_s=DRAINED_WITHIN_S)
    return ledger.rate(stage)


def _theirs(stage: Stage, rival: Rival, count: int, wait_ms: int) -> float:
    """The queue is filled first; then the worker starts."""
    ledger.clear(stage)
    fill = Start(rival.fill_program(stage, count, wait_ms), lambda _: True)
    with stage.others([fill]) as (filling,):
        wait_until(filling.ended, within_s=FILLED_WITHIN_S)
    with stage.others([rival.worker_start(stage)]):
        return _rate(partial(rival.finished, stage), count)


def _rate(finished: Callable[[], int], count: int) -> float:
    """Jobs per second from the first tenth to the last job, so that no start is in it."""
    deadline = time.monotonic() + DRAINED_WITHIN_S
    first: tuple[float, int] | None = None
    while (done := finished()) < count:
        now = time.monotonic()
        if first is None and done >= count / 10:
            first = now, done
        if now > deadline:
            raise TimeoutError(f"{done} of {count} jobs done after {DRAINED_WITHIN_S:g} s")
        time.sleep(LOOK_EVERY_S)
    if first is None:
        raise RuntimeError(f"{count} jobs are too few to tell a rate")
    began_s, before = first
    return (count - before) / (time.monotonic() - began_s)


def _ratio(rates: Rates, kind: str) -> dict[str, Any]:
    pools = (rates[rival.name]["0"] for rival in BARE_CELERY)
    faster = [max(turn) for turn in zip(*pools, strict=True)]
    return compared(rates[kind]["0"], faster)
