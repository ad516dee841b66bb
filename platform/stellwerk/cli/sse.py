"""Reads an event stream (WHATWG HTML, section 9.2.6)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event; `id` is empty where it has none."""

    type: str
    data: str
    id: str


def parse_events(lines: Iterable[str]) -> Iterator[ServerEvent]:
    """Turn lines (without their ends) into events; one cut short at the end is dropped."""
    fields: dict[str, str] = {}
    data: list[str] = []
    for line in lines:
        if line:
            _read_line(line, fields, data)
        elif data:
            kind = fields.get("event", "message")
            yield ServerEvent(kind, "\n".join(data), fields.get("id", ""))
        if not line:
            fields, data = {}, []


def _read_line(line: str, fields: dict[str, str], data: list[str]) -> None:
    name, _, value = line.partition(":")
    value = value.removeprefix(" ")
    if name == "data":
        data.append(value)
    elif name:  # a line that starts with a colon is a comment
        fields[name] = value
