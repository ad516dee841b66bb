"""`python -m benchmarks [--only poll,submit] [--quick] [--output FOLDER]`."""

import argparse
import sys
import time
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import machine, plot
from benchmarks.catalogue import SECTIONS
from benchmarks.report import Report, goals, with_chaos
from benchmarks.sizes import FULL, QUICK, Sizes
from benchmarks.stage import Stage, running_stage
from benchmarks.systems import prepare

DOCS = Path(__file__).resolve().parents[1] / "docs"


def main() -> int:
    """Measure, write, print the goals; fails where a section could not be measured."""
    options = _options()
    report = Report(options.output)
    sizes = QUICK if options.quick else FULL
    if sizes.everybody and any(SECTIONS[name].has_rivals for name in options.only):
        prepare()
    known = report.known()
    with running_stage(web_workers=sizes.web_workers) as stage:
        sections, failed = _measured(stage, options.only, sizes)
        found = {
            "quick": options.quick,
            "machine": machine.described(stage),
            "sections": {**known, **sections},
        }
    report.write(found)
    plot.draw(found["sections"], report.plot)
    print("\n".join(["", *goals(with_chaos(found, options.output)), "", f"See {report.document}"]))
    return 1 if failed else 0


def _measured(
    stage: Stage, names: list[str], sizes: Sizes
) -> tuple[Mapping[str, Any], Mapping[str, Exception]]:
    """Figures by section, and what went wrong in others."""
    sections: dict[str, Any] = {}
    failed: dict[str, Exception] = {}
    for name in names:
        section, load, began_s = SECTIONS[name], machine.busy(), time.monotonic()
        print(f"{section.title} ...", flush=True)
        try:
            figures = section.measure(stage, sizes)
        except Exception as exc:  # noqa: BLE001  the other sections' figures are worth having
            failed[name] = exc
            traceback.print_exc()
            continue
        seconds = time.monotonic() - began_s
        when = datetime.now(UTC).isoformat(timespec="minutes").replace("+00:00", "Z")
        taken = {"taken_at": when, "seconds": round(seconds, 1), "load_before": load}
        sections[name] = {**taken, "figures": figures}
        print("\n".join(f"  {line}" for line in section.lines(figures)), flush=True)
    return sections, failed


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", type=_names, default=list(SECTIONS), help=", ".join(SECTIONS))
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that it works")
    parser.add_argument("--output", type=Path, default=DOCS, help="folder of the results")
    return parser.parse_args()


def _names(given: str) -> list[str]:
    names = [name for name in given.replace(",", " ").split() if name]
    if unknown := set(names) - set(SECTIONS):
        raise argparse.ArgumentTypeError(f"no such section: {', '.join(sorted(unknown))}")
    return names or list(SECTIONS)


if __name__ == "__main__":
    sys.exit(main())
