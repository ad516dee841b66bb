"""What of a conversation with a switch is the same each time it is held, the volatile masked."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from raw_switch import Frame

UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_MASKS = (
    (re.compile(r"Version .*"), "Version *"),
    (re.compile(r"^(?:vm|simulator)(?=FreeSWITCH)"), "HOST"),
    (re.compile(r"^(?:UUID|ASKED),.*$", re.MULTILINE), "ROW"),
    (re.compile(r'\{"row_count":(\d+).*\}'), r"\1 ROWS"),
    (re.compile(r'\{"Event-Name":"CHANNEL_DATA".*\}', re.DOTALL), "DUMP"),
    (re.compile(r"^\d+$"), "NUMBER"),
    (re.compile(r"^UP \d.*", re.DOTALL), "STATUS"),
)
_TOLD = re.compile(r"variable_dialer_.*|Caller-Caller-ID-Name")


@dataclass
class Shape:
    """Replies in their order; jobs' results; and of every channel, what happened to it in order.

    Events of different channels, and the results of jobs, come in varying order from a real
    switch too. Over loopback a channel's first event may come late.
    """

    replies: list[tuple[str, str]] = field(default_factory=list)
    jobs: list[tuple[str, str]] = field(default_factory=list)
    channels: list[tuple[str, list[Any]]] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def shape_of(frames: Iterable[Frame], sent: Sequence[bytes]) -> Shape:
    """The shape of all that came in answer to what was sent."""
    asked = set(UUID.findall(b"".join(sent).decode()))
    shape = Shape()
    channels: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for frame in frames:
        if not frame.kind.startswith("text/event"):
            shape.replies.append((frame.kind, masked(frame.text, asked)))
            continue
        event = frame.event
        if event["Event-Name"] == "BACKGROUND_JOB":
            shape.jobs.append((event["Job-Command"], masked(event["_body"], asked)))
        elif "Unique-ID" in event:
            channels[event["Channel-Name"], event["Unique-ID"]].append(_step(event))
        else:
            shape.others.append(f"{event['Event-Name']} {event.get('Event-Subclass', '')}")
    shape.jobs.sort()
    shape.channels = sorted((name, _in_order(steps)) for (name, _), steps in channels.items())
    return shape


def _step(event: dict[str, str]) -> tuple[str, ...]:
    name = event["Event-Name"]
    if name == "CHANNEL_CREATE":
        told = sorted(f"{key}={event[key]}" for key in event if _TOLD.fullmatch(key))
        return (name, *(told if event["Call-Direction"] == "outbound" else ()))
    if name.startswith("CHANNEL_EXECUTE"):
        return name, event["Application"], event.get("Application-Data", "")
    return name, event.get("Hangup-Cause", "")


def _in_order(steps: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """A late first event is put first."""
    return sorted(steps, key=lambda step: step[0] != "CHANNEL_CREATE")


def masked(text: str, asked: set[str]) -> str:
    """A text without what differs each time; ids that the client chose are told from others."""
    text = UUID.sub(lambda found: "ASKED" if found[0] in asked else "UUID", text)
    for pattern, instead in _MASKS:
        text = pattern.sub(instead, text)
    return text
