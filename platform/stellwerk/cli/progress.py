"""Shows a job as it runs: a bar and its steps on a terminal, a line per change elsewhere."""

import contextlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from stellwerk.cli.output import messages

Document = dict[str, Any]

BAR_WIDTH = 40
REFRESHES_PER_S = 8
STYLES = {
    "completed": "green",
    "failed": "red",
    "cancelled": "yellow",
    "running": "cyan",
    "undone": "magenta",
}
SIGNS = {
    "completed": "✓",
    "failed": "✗",
    "cancelled": "⊘",
    "running": "▸",
    "pending": "·",
    "undone": "↶",
}


def show_progress(documents: Iterable[Document], console: Console | None = None) -> Document:
    """Show each document, on standard error unless told otherwise; returns the last."""
    console = console or messages()
    return _drawn(console, documents) if console.is_terminal else _told(console, documents)


def _drawn(console: Console, documents: Iterable[Document]) -> Document:
    picture = _Picture()
    with Live(
        picture, console=console, refresh_per_second=REFRESHES_PER_S, transient=False
    ) as live:
        for document in documents:
            picture.document = document
            live.refresh()
    return picture.document


def _told(console: Console, documents: Iterable[Document]) -> Document:
    """One line per change of status, step or tens of percent, for logs and pipes."""
    last, told = {}, ""
    for last in documents:
        running = [step["name"] for step in last["steps"] if step["status"] == "running"]
        line = f"{last['status']} {', '.join(running) or last['message']}".rstrip()
        key = f"{line} {last['progress'] // 10}"
        if key != told:
            console.print(f"{last['progress']:>3} %  {line}", highlight=False, markup=False)
        told = key
    return last


class _Picture:
    """Drawn anew several times a second, so that the running step's clock goes on."""

    def __init__(self) -> None:
        self.document: Document = {}

    def __rich__(self) -> RenderableType:
        if not self.document:
            return Text("waiting for the first answer ...")
        parts: list[RenderableType] = [_headline(self.document), _steps(self.document)]
        error = self.document.get("error")
        if error:
            parts.append(Text(f"{error['code']}: {error['message']}", style="red"))
        return Group(*parts)


def _headline(document: Document) -> RenderableType:
    status = document["status"]
    grid = Table.grid(padding=(0, 1))
    grid.add_row(
        ProgressBar(total=100, completed=document["progress"], width=BAR_WIDTH),
        f"{document['progress']:>3} %",
        Text(status, style=STYLES.get(status, "")),
        Text(document["message"], style="dim"),
    )
    return Group(Text(f"{document['operation']}  {document['job_id']}", style="bold"), grid)


def _steps(document: Document) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    for step in document["steps"]:
        style = STYLES.get(step["status"], "dim")
        sign = SIGNS.get(step["status"], "?")
        grid.add_row(
            Text(f"  {sign} {step['name']}", style=style),
            Text(step["status"], style=style),
            Text(step_time(step), justify="right"),
        )
    return grid


def step_time(step: dict[str, Any]) -> str:
    """How long a step took, or takes so far: `3.2 s`; empty before it starts."""
    start = _moment(step.get("started_at"))
    if start is None:
        return ""
    end = _moment(step.get("finished_at"))
    if end is None and step["status"] != "running":
        return ""
    return f"{max(((end or datetime.now(UTC)) - start).total_seconds(), 0):.1f} s"


def _moment(value: str | None) -> datetime | None:
    with contextlib.suppress(TypeError, ValueError):
        return datetime.fromisoformat(value or "")
    return None
