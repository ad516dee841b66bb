"""How commands speak: results on standard output, messages on standard error."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

PIPE_WIDTH = 100_000  # characters

json_option = click.option("--json", "as_json", is_flag=True, help="JSON on standard output.")


def results() -> Console:
    """Standard output; rich leaves colour out under NO_COLOR and where it is no terminal."""
    return Console(file=sys.stdout)


def messages() -> Console:
    """Standard error."""
    return Console(file=sys.stderr)


def say(text: str) -> None:
    """One message for a person."""
    messages().print(text, highlight=False, markup=False, soft_wrap=True)


def emit_json(value: Any) -> None:
    """One JSON document on a line of its own."""
    click.echo(json.dumps(value, ensure_ascii=False))


def emit_table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """A table of some of the rows' fields; in a pipe nothing is cut to the width of a screen."""
    console = results()
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(row.get(name))) for name in columns))
    console.print(table)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return str(value)
