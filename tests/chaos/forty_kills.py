"""`make chaos`: Stellwerk and bare Celery under the same hard kills, side by side.

Writes the figures to docs/chaos.md and docs/chaos.json.
"""

import argparse
import json
import os
import platform as machine
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from embedded import running_valkey
from engine import SLOTS
from kills import CALL_S, Tally
from kills_celery import VISIBILITY_TIMEOUT_S, run_celery
from kills_ours import LedgerTally, our_platform, run_ours

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = """\
# Chaos: what hard kills cost

Made by `make chaos` on {date}: {machine}, {cores} cores; Celery {celery}.

{jobs:,} jobs, {kills} times `kill -9` spread over the work, each time of a worker that chance
chooses: by turns the whole worker with its children, which is then started again, and a single
child of it, if it has any. Stellwerk has two workers: `short`, {short} threads in one process and
so always killed whole, and `long`, {long} children; bare Celery has two of four children each. A
call to the outside world takes {call_ms:g} ms. Two thirds of Stellwerk's jobs do something to an
outside world that keeps count, a third of them each by an effect that is idempotent, can be asked
for, or cannot ("blind"). They run on `long` alone; the others run on `short`. Celery's tasks all
do, with the settings its documentation recommends for tasks that must not be lost
(`task_acks_late`, `task_reject_on_worker_lost`, `worker_prefetch_multiplier=1`) and a visibility
timeout of {visibility} s instead of an hour, so that what a killed worker held comes back in time
to be counted.

{table}

- **lost**: accepted, and its effect never happened (and nobody was told).
- **twice**: its effect happened more than once.
- **uncertain**: a blind effect whose worker died during the call; the job failed with
  `EFFECT_UNCERTAIN`, and a person decides with `stellwerk jobs resolve`. It happened at most once.
  {whole} kills of the whole `long` and {children} of a child of it interrupt at most {doubts}
  calls. Of another kind of effect it counts as lost.
- **wrong status**: Redis shows clients something else than the ledger has.
- **rescued**: attempts that were running in what was killed, and wake-ups that it had in hand.
- **slowest rescue**: of those, from the kill until another worker claimed the job; {within:g} s are
  promised. Settings are the defaults but for `STELLWERK_JOB_STATUS_TTL_S`: a status stays in Redis
  for a day, so that every job's is there to be compared at the end.
- **-**: nobody measured it. Bare Celery has no ledger that could tell.
"""


def main() -> int:
    """Play the script to both; 1 where Stellwerk broke a promise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=40)
    given = parser.parse_args()
    ours = _ours(given.jobs, given.kills)
    _say("Stellwerk", ours)
    theirs = _celery(given.jobs, given.kills)
    _say("bare Celery", theirs)
    _write(ours, theirs)
    for fault in ours.faults():
        sys.stdout.write(f"  {fault}\n")
    return 1 if ours.faults() else 0


def _ours(jobs: int, kills: int) -> LedgerTally:
    with tempfile.TemporaryDirectory() as folder, our_platform(Path(folder)) as platform:
        return run_ours(platform, Path(folder), jobs=jobs, kills=kills)


def _celery(jobs: int, kills: int) -> Tally:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        with running_valkey(place / "redis") as redis_url:
            return run_celery(place, redis_url, jobs=jobs, kills=kills)


def _say(name: str, tally: Tally) -> None:
    sys.stdout.write(f"{name}: {json.dumps(tally.row())}\n")
    sys.stdout.flush()


def _write(ours: LedgerTally, theirs: Tally) -> None:
    rows = {"Stellwerk": ours.row(), "bare Celery": theirs.row()}
    date = datetime.now(UTC).date().isoformat()
    page = PAGE.format(
        date=date,
        machine=machine.platform(terse=True),
        cores=os.cpu_count(),
        celery=version("celery"),
        jobs=ours.jobs,
        kills=ours.kills,
        short=SLOTS["short"],
        long=SLOTS["long"],
        call_ms=CALL_S * 1000,
        whole=ours.whole,
        children=ours.children,
        doubts=ours.doubts_at_most,
        within=ours.rescue_within_s,
        visibility=VISIBILITY_TIMEOUT_S,
        table=_table(rows),
    )
    (DOCS / "chaos.md").write_text(page)
    (DOCS / "chaos.json").write_text(json.dumps({"date": date, **rows}, indent=2) + "\n")


def _table(rows: dict[str, dict[str, float | None]]) -> str:
    names = next(iter(rows.values()))
    lines = ["| | " + " | ".join(rows) + " |", "| --- |" + " ---: |" * len(rows)]
    for name in names:
        cells = [_cell(row.get(name)) for row in rows.values()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(figure: float | None) -> str:
    return "-" if figure is None else str(figure)


if __name__ == "__main__":
    sys.exit(main())
