"""What is aimed at, and whether today's figures reach it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from benchmarks.sections import generations
from benchmarks.sections.edge import TARGETS_MS

Figures = Mapping[str, Any]


class Verdict(StrEnum):
    """How far a goal is reached."""

    STRETCH = "yes, and the stretch"
    MET = "yes"
    MISSED = "**no**"
    UNKNOWN = "not measured"


@dataclass(frozen=True, slots=True)
class Goal:
    """`figure` picks the number out of its section's figures; `shown` is its format."""

    measure: str
    section: str
    figure: Callable[[Figures], float | None]
    goal: float
    stretch: float | None = None
    shown: str = "{:.2f}"
    at_least: bool = False  # else: at most

    def value(self, sections: Figures) -> float | None:
        """Today's figure; None where it was not measured."""
        figures = sections.get(self.section)
        return None if figures is None else self.figure(figures)

    def verdict(self, value: float | None) -> Verdict:
        """Whether that will do."""
        if value is None:
            return Verdict.UNKNOWN
        if self.stretch is not None and self._reaches(value, self.stretch):
            return Verdict.STRETCH
        return Verdict.MET if self._reaches(value, self.goal) else Verdict.MISSED

    def row(self, sections: Figures) -> str:
        """Its line of the table."""
        value = self.value(sections)
        cells = (
            self.measure,
            self._limit(self.goal),
            "" if self.stretch is None else self._limit(self.stretch),
            "" if value is None else self.shown.format(value),
            self.verdict(value),
        )
        return "| " + " | ".join(cells) + " |"

    def _reaches(self, value: float, limit: float) -> bool:
        return value >= limit if self.at_least else value <= limit

    def _limit(self, limit: float) -> str:
        return ("≥ " if self.at_least else "≤ ") + self.shown.format(limit)


def _at(*path: str) -> Callable[[Figures], float]:
    """The figure that stands there."""

    def figure(found: Any) -> float:
        for name in path:
            found = found[name]
        return float(found)

    return figure


def _share(found: Figures, part: float) -> float:
    """In percent of the requests that were due."""
    due = found["count"] + sum(found["failed"].values()) + found["not_sent"]
    return float(100 * part / due)


def _refused(found: Figures) -> float:
    return _share(found, sum(found["failed"].values()))


def _not_sent(found: Figures) -> float:
    return _share(found, found["not_sent"])


def _target(kind: str) -> Callable[[Figures], float | None]:
    return lambda found: found["kinds"].get(kind, {}).get("p95_ms")


def _after_kills(what: str) -> Callable[[Figures], float | None]:
    """What `make chaos` counted; None where it was told to kill less often than the goal says."""
    return lambda found: found["Stellwerk"][what] if found["Stellwerk"]["kills"] >= KILLS else None


MS = "{:.1f} ms"
COUNT = "{:,.0f}"
MIB = "{:,.0f} MiB"
PERCENT = "{:.2f} %"
P50, P99 = "p50_ms", "p99_ms"
KILLS = 40

GOALS = (
    Goal(
        "`GET /jobs/{id}` / bare Flask route with one Redis GET",
        "poll",
        _at("ratio"),
        1.0,
        2.5,
        at_least=True,
    ),
    Goal(
        "durable submit / bare smorest route with one Core commit",
        "submit",
        _at("ratio"),
        1.0,
        1.5,
        at_least=True,
    ),
    Goal("p99 of submit at 200/s", "submit", _at("paced", "working", "200", P99), 15, 6, MS),
    Goal("p99 of submit at 500/s", "submit", _at("paced", "working", "500", P99), 40, 6, MS),
    Goal("bulk accept, jobs/s", "bulk", _at("jobs_per_s"), 15_000, 40_000, COUNT, at_least=True),
    Goal(
        "drain, one message per job / bare Celery with Redis result backend, its faster pool",
        "drain",
        _at("ratio_to_celery", "single", "ratio"),
        0.7,
        0.9,
        at_least=True,
    ),
    Goal(
        "drain of a backlog on the short queue / the same",
        "drain",
        _at("ratio_to_celery", "batches", "ratio"),
        4.0,
        8.0,
        at_least=True,
    ),
    Goal("submit to finished, idle, p50", "finish", _at("seen", "Stellwerk", "0", P50), 8, 4, MS),
    Goal(
        "submit to finished, idle, p99", "finish", _at("seen", "Stellwerk", "0", P99), 25, None, MS
    ),
    Goal(
        "jobs lost over 40 hard kills ([beside bare Celery](chaos.md))",
        "chaos",
        _after_kills("lost"),
        0,
        None,
        COUNT,
    ),
    Goal("jobs done twice over 40 hard kills", "chaos", _after_kills("twice"), 0, None, COUNT),
    Goal("10,000 WebSockets in one process", "websockets", _at("rss_mib"), 700, 500, MIB),
    Goal("fan-out to them / bare Starlette on uvicorn", "websockets", _at("fan_out_ratio"), 1.25),
    Goal(
        "100,000 waiting and 1,000,000 ended / an empty ledger, the worst of submit, poll, "
        "claim, list",
        "growth",
        _at("worst"),
        1.5,
        1.1,
    ),
    Goal(
        "another user's single job behind 10,000 starts within",
        "fairness",
        _at("started_after_s"),
        5.0,
        None,
        "{:.2f} s",
    ),
    Goal(
        "mixed load through the edge, 1,000 requests/s asked for: carried",
        "edge",
        _at("per_s"),
        990.0,  # 1,000 are sent; the last ones are still answered after the end
        shown=COUNT,
        at_least=True,
    ),
    Goal("of them refused", "edge", _refused, 0, None, PERCENT),
    Goal("never sent, since earlier ones were unanswered", "edge", _not_sent, 0, None, PERCENT),
    *(
        Goal(f"p95 of those answered: {kind}", "edge", _target(kind), ms, None, MS)
        for kind, ms in TARGETS_MS.items()
    ),
    Goal(
        "of 100 generations in progress, failed or timed out while they were polled",
        "generations",
        generations.lost,
        0,
        None,
        COUNT,
    ),
    Goal(
        "calls begun a second through everything, 30 asked for",
        "calls",
        _at("stream", "begun_per_s"),
        30,
        None,
        "{:.1f}",
        at_least=True,
    ),
    Goal("events of these calls that were lost", "calls", _at("stream", "lost"), 0, None, COUNT),
    Goal(
        "memory of the telephony process with 200 calls at once",
        "calls",
        _at("at_once", "pss_mib"),
        400,
        None,
        MIB,
    ),
    Goal("signing in with a password, p50", "sign_in", _at("login", P50), 100, None, MS),
    Goal("renewing a session, p50", "sign_in", _at("refresh", P50), 100, None, MS),
)


def table(sections: Figures) -> list[str]:
    """The goals in Markdown."""
    return [
        "| measure | goal | stretch | today | met |",
        "| --- | ---: | ---: | ---: | --- |",
        *(goal.row(sections) for goal in GOALS),
    ]
