"""The same four things on ledgers of growing size: what is fast must stay so."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
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
from benchmarks.stage import Stage, running_stage
from benchmarks.systems import OurClient
from stellwerk.identity.permissions import Role
from stellwerk.jobs import claims, dispatch
from stellwerk.jobs.ports import Wakeup
from stellwerk_api.pagination import encode_cursor

OWNERS = 50
# Of whoever lists, on the empty ledger too: pages are full on both, whatever they are narrowed to.
# They are spread over the time of all others, so that most of what is newer is not theirs.
OWN = ledger.History(count=200, apart_s=3600, failed=3, tagged=2)
ACTIONS = {
    "submit": "`POST /jobs`",
    "poll": "`GET /jobs/{id}`",
    "claim": "claim, in the worker",
    "list": "`GET /jobs`",
    "list_failed": "`GET /jobs?status=failed`",
    "list_tag": "`GET /jobs?tag=...`",
    "list_dead": "`GET /jobs?dead=true`",
    "list_deep": "`GET /jobs?all=true&cursor=...`, half-way down",
    "list_all": "`GET /jobs?all=true`, of an operator",
    "dispatch": "a dispatcher's turn",
}
LISTS = tuple(action for action in ACTIONS if action.startswith("list"))
GOALS = ("submit", "poll", "claim", *LISTS)


def measure(stage: Stage, sizes: Sizes) -> dict[str, Any]:
    """Medians in ms by size, and each size's against those of an empty ledger beside it."""
    ledger.clear(stage)
    with running_stage() as beside, _side(beside) as empty, _side(stage) as large:
        levels: dict[str, dict[str, Any]] = {}
        waiting = 0
        for target in sizes.waiting:
            ledger.add_waiting(stage, target - waiting, owner_id=large.person.user_id)
            waiting = target
            levels[f"{target:,} waiting"] = _level(large, empty, sizes)
        others = [person.user_id for person in sign_in(stage, OWNERS - 2)]
        owners = [large.person.user_id, large.operator.user_id, *others]
        # Everybody alike gets failed and tagged ones: nothing divides these and 50.
        history = ledger.History(sizes.history, apart_s=1, failed=97, tagged=49)
        ledger.add_history(stage, history, owners=owners)
        name = f"{waiting:,} waiting, {sizes.history:,} ended"
        levels[name] = _level(large, empty, sizes)
    ledger.clear(stage)
    ratios = levels[name]["ratios"]
    return {"levels": levels, "worst": max(ratios[action] for action in GOALS)}


def lines(figures: Mapping[str, Any]) -> list[str]:
    """One table: the empty ledger's time, then the large one's and its ratio, level by level."""
    levels = figures["levels"]
    return [
        "| median, ms | " + " | ".join(f"{name} | ratio" for name in levels) + " | empty |",
        "| --- |" + " ---: |" * (2 * len(levels) + 1),
        *(
            f"| {shown} | "
            + " | ".join(
                f"{level['ms'][action]:.2f} | {level['ratios'][action]:.2f}"
                for level in levels.values()
            )
            + f" | {_of_empty(levels)[action]:.2f} |"
            for action, shown in ACTIONS.items()
        ),
    ]


def _of_empty(levels: Mapping[str, Any]) -> Mapping[str, float]:
    """What the empty ledger took beside the largest."""
    found: Mapping[str, float] = list(levels.values())[-1]["empty_ms"]
    return found


@contextmanager
def _side(stage: Stage) -> Iterator["Samples"]:
    """A web process on a ledger with one full page of jobs of somebody who lists them."""
    (person,), (operator,) = sign_in(stage), sign_in(stage, role=Role.OPERATOR)
    ledger.add_history(stage, OWN, owners=[person.user_id])
    with stage.running("web") as children, sender(stage.web_url) as http:
        yield Samples(stage, OurClient(stage.web_url, children, person), http, operator)


def _level(large: "Samples", empty: "Samples", sizes: Sizes) -> dict[str, Any]:
    """Sampled in turns, so that what happens besides hits both alike."""
    sides = {"ms": large, "empty_ms": empty}
    taken: dict[str, dict[str, list[float]]] = {
        name: {action: [] for action in ACTIONS} for name in sides
    }
    for side in sides.values():
        ledger.settle(side.stage)
        side.warm_up()
    for _ in range(sizes.growth_samples):
        for name, side in sides.items():
            for action, took_s in side.take().items():
                taken[name][action].append(took_s)
    medians = {
        name: {action: round(median(found) * 1000, 3) for action, found in actions.items()}
        for name, actions in taken.items()
    }
    ratios = {
        action: round(medians["ms"][action] / medians["empty_ms"][action], 3) for action in ACTIONS
    }
    return {**medians, "ratios": ratios}


class Samples:
    """Does each thing once and says how long it took, in seconds."""

    def __init__(self, stage: Stage, client: OurClient, http: Sender, operator: Person) -> None:
        self.stage = stage
        self.person = client.person
        self._runtime = stage.platform.runtime
        self._client = client
        self._http = http
        self.operator = operator
        self._cursor = ""

    def warm_up(self) -> None:
        """Connect anew, and let plans be made."""
        self._http.reconnect()
        self._cursor = encode_cursor(str(ledger.half_way(self.stage)))
        self.take()

    def take(self) -> dict[str, float]:
        """One sample of every action."""
        submitted = self._http.send(self._client.submit(0))
        job_id = self._client.job_id(submitted.body)
        taken = {"submit": self._http.took_s}
        taken["poll"] = self._http.timed(self._client.poll(job_id))
        taken |= self._lists()
        taken["dispatch"] = _timed(partial(dispatch.publish_due, self._runtime, "short"))
        wakeup = Wakeup(UUID(job_id), 0, ledger.OPERATION, "short")
        taken["claim"] = _timed(
            partial(claims.claim, self._runtime, wakeup, "bench", uuid4()), expected=True
        )
        return taken

    def _lists(self) -> dict[str, float]:
        everybodys = f"?all=true&cursor={self._cursor}"
        asked = {
            "list": (self.person, ""),
            "list_failed": (self.person, "?status=failed"),
            "list_tag": (self.person, "?tag=tagged"),
            "list_dead": (self.person, "?dead=true"),
            "list_deep": (self.operator, everybodys),
            "list_all": (self.operator, "?all=true"),
        }
        return {
            action: self._http.timed(Request("GET", f"/api/v1/jobs{query}", asker.headers))
            for action, (asker, query) in asked.items()
        }


def _timed(action: Callable[[], object], *, expected: bool = False) -> float:
    began_s = perf_counter()
    came = action()
    took_s = perf_counter() - began_s
    if expected and came is None:
        raise RuntimeError("there was nothing to claim")
    return took_s
