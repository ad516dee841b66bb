"""The same four things on ledgers of growing size: what is fast must stay so."""

from collections.abc import Callable, Mapping
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any
from uuid import UUID, uuid4

from benchmarks import ledger
from benchmarks.exchange import Request
from benchmarks.people import Person, sign_in
from benchmarks.sender import Sender, sender
from benchmarks.sizes import Sizes
from benchmarks.stage import Stage
from benchmarks.systems import OurClient
from stellwerk.jobs import claims, dispatch
from stellwerk.jobs.ports import Wakeup

OWNERS = 50
OWN_JOBS = 1_000  # of whoever lists, on the empty ledger too: pages are full everywhere
EMPTY = "as good as empty"
ACTIONS = {
    "submit": "`POST /jobs`",
    "poll": "`GET /jobs/{id}`",
    "claim": "claim, in the worker",
    "list": "`GET /jobs`",
    "list_failed": "`GET /jobs?status=failed`",
    "dispatch": "a dispatcher's turn",
}
GOALS = ("submit", "poll", "claim", "list")


def measure(stage: Stage, sizes: Sizes) -> dict[str, Any]:
    """Medians in ms by size, and the largest size's against the empty one's."""
    ledger.clear(stage)
    people = sign_in(stage, OWNERS)
    ledger.add_history(stage, OWN_JOBS, first_owner_id=people[0].user_id, owners=1)
    levels = {EMPTY: _level(stage, people, sizes)}
    waiting = 0
    for target in sizes.waiting:
        ledger.add_waiting(stage, target - waiting, owner_id=people[0].user_id)
        waiting = target
        levels[f"{target:,} waiting"] = _level(stage, people, sizes)
    ledger.add_history(stage, sizes.history, first_owner_id=people[0].user_id, owners=OWNERS)
    name = f"{waiting:,} waiting, {sizes.history:,} ended"
    levels[name] = _level(stage, people, sizes)
    ratios = {action: round(levels[name][action] / levels[EMPTY][action], 3) for action in ACTIONS}
    ledger.clear(stage)
    return {"levels": levels, "ratios": ratios, "worst": max(ratios[name] for name in GOALS)}


def lines(figures: Mapping[str, Any]) -> list[str]:
    """One table."""
    levels = figures["levels"]
    return [
        "| median, ms | " + " | ".join(levels) + " | ratio |",
        "| --- |" + " ---: |" * (len(levels) + 1),
        *(
            f"| {shown} | "
            + " | ".join(f"{level[action]:.2f}" for level in levels.values())
            + f" | {figures['ratios'][action]:.2f} |"
            for action, shown in ACTIONS.items()
        ),
    ]


def _level(stage: Stage, people: list[Person], sizes: Sizes) -> dict[str, float]:
    """Sampled in turns, so that what happens besides hits all alike."""
    ledger.settle(stage)
    with stage.running("web") as children, sender(stage.web_url) as http:
        samples = Samples(stage, OurClient(stage.web_url, children, people[0]), http)
        taken: dict[str, list[float]] = {action: [] for action in ACTIONS}
        for number in range(sizes.growth_samples + sizes.growth_samples // 10):
            for action, took_s in samples.take().items():
                if number >= sizes.growth_samples // 10:
                    taken[action].append(took_s)
    return {action: round(median(values) * 1000, 3) for action, values in taken.items()}


class Samples:
    """Does each thing once and says how long it took, in seconds."""

    def __init__(self, stage: Stage, client: OurClient, http: Sender) -> None:
        self._runtime = stage.platform.runtime
        self._client = client
        self._http = http

    def take(self) -> dict[str, float]:
        """One sample of every action."""
        submitted = self._http.send(self._client.submit(0))
        job_id = self._client.job_id(submitted.body)
        taken = {"submit": self._http.took_s}
        taken["poll"] = self._http.timed(self._client.poll(job_id))
        taken["list"] = self._http.timed(self._get("/api/v1/jobs"))
        taken["list_failed"] = self._http.timed(self._get("/api/v1/jobs?status=failed"))
        taken["dispatch"] = _timed(partial(dispatch.publish_due, self._runtime, "short"))
        wakeup = Wakeup(UUID(job_id), 0, ledger.OPERATION, "short")
        taken["claim"] = _timed(
            partial(claims.claim, self._runtime, wakeup, "bench", uuid4()), expected=True
        )
        return taken

    def _get(self, path: str) -> Request:
        return Request("GET", path, self._client.person.headers)


def _timed(action: Callable[[], object], *, expected: bool = False) -> float:
    began_s = perf_counter()
    came = action()
    took_s = perf_counter() - began_s
    if expected and came is None:
        raise RuntimeError("there was nothing to claim")
    return took_s
