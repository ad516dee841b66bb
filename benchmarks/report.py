"""Writes what was measured: raw as JSON, and into the marked part of the document."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.catalogue import SECTIONS
from benchmarks.goals import table

BEGIN = "<!-- figures: written by `make bench` from here on -->"
END = "<!-- figures: up to here -->"
QUICK = (
    "**Taken with tiny sizes, to show that the measuring works: no figure here means anything.**"
)


@dataclass(frozen=True, slots=True)
class Report:
    """The three files below one folder."""

    folder: Path

    @property
    def raw(self) -> Path:
        """Every figure."""
        return self.folder / "benchmarks.json"

    @property
    def document(self) -> Path:
        """For people; what stands outside the marks is theirs."""
        return self.folder / "benchmarks.md"

    @property
    def plot(self) -> Path:
        """The picture in the document."""
        return self.folder / "images" / "benchmarks.svg"

    def known(self) -> dict[str, Any]:
        """Sections of earlier runs; those of another form than today's are left out."""
        if not self.raw.exists():
            return {}
        sections = json.loads(self.raw.read_text())["sections"]
        return {name: found for name, found in sections.items() if _is_readable(name, found)}

    def write(self, measured: Mapping[str, Any]) -> None:
        """Replace JSON and figures."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.raw.write_text(json.dumps(measured, indent=1) + "\n")
        before, after = self._around()
        inside = "\n".join(_lines(with_chaos(measured, self.folder)))
        self.document.write_text(f"{before}{BEGIN}\n\n{inside}\n{END}{after}")

    def _around(self) -> tuple[str, str]:
        if not self.document.exists():
            return "# Benchmarks\n\n", "\n"
        before, _, rest = self.document.read_text().partition(BEGIN)
        return before, rest.partition(END)[2] or "\n"


def with_chaos(measured: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The figures with those that `make chaos` left beside them, if it did."""
    path = folder / "chaos.json"
    found = {"chaos": {"figures": json.loads(path.read_text())}} if path.exists() else {}
    return {**measured, "sections": {**measured["sections"], **found}}


def goals(measured: Mapping[str, Any]) -> list[str]:
    """The goals' table, with a warning where the sizes were too small to judge by."""
    rows = table({name: found["figures"] for name, found in measured["sections"].items()})
    return [QUICK, "", *rows] if measured.get("quick") else rows


def _is_readable(name: str, found: Mapping[str, Any]) -> bool:
    try:
        SECTIONS[name].lines(found["figures"])
        goals({"sections": {name: found}})
    except (KeyError, TypeError, ValueError):
        return False
    return True


def _lines(measured: Mapping[str, Any]) -> list[str]:
    lines = [
        "## Goals",
        "",
        *goals(measured),
        "",
        "![Stellwerk beside others](images/benchmarks.svg)",
    ]
    for name, section in SECTIONS.items():
        found = measured["sections"].get(name)
        if found:
            when = (
                f"{found['taken_at']}, {found['seconds']:.0f} s, load before {found['load_before']}"
            )
            lines += ["", f"## {section.title}", "", *section.lines(found["figures"])]
            lines += ["", f"<sub>`make bench ONLY={name}`: {when}</sub>"]
    return [*lines, "", "## Machine and versions", "", *_machine(measured["machine"]), ""]


def _machine(machine: Mapping[str, Any]) -> list[str]:
    facts = {name.replace("_", " "): value for name, value in machine.items() if name != "versions"}
    return [
        "| | |",
        "| --- | --- |",
        *(f"| {name} | {value} |" for name, value in {**facts, **machine["versions"]}.items()),
    ]
