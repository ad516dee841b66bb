"""Every section by its name, in the order of the report."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.sections import (
    bulk,
    calls,
    drain,
    edge,
    fairness,
    finish,
    generations,
    growth,
    memory,
    poll,
    records,
    sign_in,
    sockets,
    submit,
)
from benchmarks.sizes import Sizes
from benchmarks.stage import Stage


@dataclass(frozen=True, slots=True)
class Section:
    """`lines` renders what `measure` gave as Markdown."""

    title: str
    measure: Callable[[Stage, Sizes], dict[str, Any]]
    lines: Callable[[Mapping[str, Any]], list[str]]
    has_rivals: bool = False  # needs the environments of other systems


SECTIONS: Mapping[str, Section] = {
    "poll": Section("Polling", poll.measure, poll.lines),
    "submit": Section("Submitting", submit.measure, submit.lines),
    "bulk": Section("Submitting in bulk", bulk.measure, bulk.lines),
    "drain": Section("Working off a backlog", drain.measure, drain.lines, has_rivals=True),
    "finish": Section(
        "Submitted to finished, on an idle system", finish.measure, finish.lines, has_rivals=True
    ),
    "growth": Section("Growth", growth.measure, growth.lines),
    "fairness": Section("Fairness", fairness.measure, fairness.lines),
    "websockets": Section("WebSockets", sockets.measure, sockets.lines),
    "edge": Section("Everybody at once, through the edge", edge.measure, edge.lines),
    "generations": Section("A hundred videos in progress", generations.measure, generations.lines),
    "calls": Section("Thirty calls a second", calls.measure, calls.lines),
    "sign_in": Section("Signing in", sign_in.measure, sign_in.lines),
    "records": Section("Acts put on record", records.measure, records.lines),
    "memory": Section("Memory", memory.measure, memory.lines, has_rivals=True),
}
