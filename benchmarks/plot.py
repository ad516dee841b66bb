"""The picture: Stellwerk beside the others, four panels."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")

from matplotlib import pyplot as plt
from matplotlib.layout_engine import ConstrainedLayoutEngine

OURS, THEIRS = "#0b6e4f", "#b8bfc6"
SIZE_INCHES = (11, 7)
ROOMY = ConstrainedLayoutEngine(hspace=0.1)
STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "svg.hashsalt": "stellwerk",  # the same figures give the same file
}


def draw(sections: Mapping[str, Any], path: Path) -> None:
    """Draw the panels whose sections were measured; none of them: no picture."""
    panels = {
        title: values
        for title, values in (
            ("Requests a second", _requests(sections)),
            ("No-op jobs a second, from a backlog", _drain(sections)),
            ("Submitted to finished, median ms", _finish(sections)),
            ("Memory for the same no-op jobs, MiB (PSS)", memory(sections)),
        )
        if values
    }
    if not panels:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        figure, grid = plt.subplots(2, 2, figsize=SIZE_INCHES, layout=ROOMY)
        for axes in grid.flat:
            axes.set_visible(False)
        for axes, (title, values) in zip(grid.flat, panels.items(), strict=False):
            _panel(axes, title, values)
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)


def _panel(axes: Any, title: str, values: Mapping[str, float]) -> None:
    names = list(values)[::-1]
    colours = [OURS if name.startswith("Stellwerk") else THEIRS for name in names]
    bars = axes.barh(names, [values[name] for name in names], color=colours)
    axes.bar_label(bars, labels=[f"{values[name]:,.4g}" for name in names], padding=3)
    axes.margins(x=0.15)
    axes.set_title(title)
    axes.set_visible(True)


def _requests(sections: Mapping[str, Any]) -> dict[str, float]:
    found = {}
    for name, bare in (
        ("poll", "bare Flask, one Redis GET"),
        ("submit", "bare smorest, one commit"),
    ):
        if name in sections:
            found[f"Stellwerk: {name}"] = sections[name]["figures"]["ours_per_s"]
            found[bare] = sections[name]["figures"]["theirs_per_s"]
    return found


def _drain(sections: Mapping[str, Any]) -> dict[str, float]:
    if "drain" not in sections:
        return {}
    shown = {"batches": "Stellwerk: short queue", "single": "Stellwerk: one message a job"}
    rates = sections["drain"]["figures"]["jobs_per_s"]
    return {shown.get(name, name): by_wait["0"] for name, by_wait in rates.items()}


def _finish(sections: Mapping[str, Any]) -> dict[str, float]:
    if "finish" not in sections:
        return {}
    seen = sections["finish"]["figures"]["seen"]
    return {name: found["0"]["p50_ms"] for name, found in seen.items()}


def memory(sections: Mapping[str, Any]) -> dict[str, float]:
    """MiB of all processes that take, publish and carry out a no-op job, by system."""
    if "memory" not in sections:
        return {}
    return {
        system: sum(programs[name]["pss_mib"] for name in programs if name in _COMPARED)
        for system, programs in sections["memory"]["figures"].items()
    }


_COMPARED = frozenset({"web", "worker", "worker_short", "dispatcher"})
