"""Memory of every process after some work: PSS, which shares common pages out among its users."""

from collections.abc import Iterator, Mapping
from typing import Any

import psutil

from benchmarks import ledger
from benchmarks.people import sign_in
from benchmarks.sections.finish import OURS, finish_one
from benchmarks.sender import sender
from benchmarks.sizes import Sizes
from benchmarks.stage import Stage
from benchmarks.systems import Client, OurClient, rivals
from stellwerk.stack.process import Child

MIB = 1024 * 1024
OUR_PROCESSES = (
    "web",
    "realtime",
    "edge",
    "worker_short",
    "worker_long",
    "worker_media",
    "dispatcher",
    "beat",
    "flower",
)


def measure(stage: Stage, sizes: Sizes) -> dict[str, Any]:
    """MiB and processes, by system and by program."""
    ledger.clear(stage)
    with stage.running(*OUR_PROCESSES) as children:
        ours = OurClient(stage.web_url, children, sign_in(stage)[0])
        found = {OURS: _measured(ours, sizes)}
    for rival in rivals(everybody=sizes.everybody):
        ledger.clear(stage)
        with rival.client(stage) as theirs:
            found[rival.name] = _measured(theirs, sizes)
    return found


def lines(figures: Mapping[str, Any]) -> list[str]:
    """One table."""
    rows = [
        (system, name, used)
        for system, programs in figures.items()
        for name, used in programs.items()
    ]
    return [
        "| system | program | processes | MiB (PSS) together | largest process |",
        "| --- | --- | ---: | ---: | ---: |",
        *(
            f"| {system} | {name} | {used['processes']} | {used['pss_mib']:.0f} "
            f"| {used['largest_mib']:.0f} |"
            for system, name, used in rows
        ),
    ]


def _measured(client: Client, sizes: Sizes) -> dict[str, Any]:
    with sender(client.url) as http:
        for _ in range(sizes.finish_jobs):
            finish_one(client, http, 0)
        return {name: used(child) for name, child in client.children.items()}


def used(child: Child) -> dict[str, Any]:
    """Its processes and their memory."""
    each_mib = [bytes_ / MIB for bytes_ in _pss_bytes(child)]
    return {
        "processes": len(each_mib),
        "pss_mib": round(sum(each_mib), 1),
        "largest_mib": round(max(each_mib), 1),
    }


def _pss_bytes(child: Child) -> Iterator[int]:
    top = psutil.Process(child.pid)
    for process in (top, *top.children(recursive=True)):
        try:
            yield int(process.memory_full_info().pss)
        except psutil.NoSuchProcess:  # it forked for a moment
            continue
