"""Frames of the Event Socket, put together from whatever pieces the network delivers.

A frame is a block of headers, an empty line, and a body of as many bytes (not characters) as its
Content-Length says. The body of an event in plain form is such a frame again, its values encoded
as in URLs; that of one in JSON is an object. Headers come in any order.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote

import orjson

MOST_HEADER_BYTES = 64 * 1024
MOST_BODY_BYTES = 16 * 1024 * 1024
_END = b"\n\n"


class Kind(StrEnum):
    """What a frame is, by its Content-Type."""

    AUTH_REQUEST = "auth/request"
    COMMAND_REPLY = "command/reply"
    API_RESPONSE = "api/response"
    EVENT_PLAIN = "text/event-plain"
    EVENT_JSON = "text/event-json"
    DISCONNECT = "text/disconnect-notice"
    REJECTION = "text/rude-rejection"


EVENTS = frozenset({Kind.EVENT_PLAIN, Kind.EVENT_JSON})
REPLIES = frozenset({Kind.COMMAND_REPLY, Kind.API_RESPONSE})
GREETINGS = frozenset({Kind.AUTH_REQUEST, Kind.REJECTION})


class BadFrame(Exception):
    """What came is no frame of the Event Socket, so nothing after it can be understood either."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame; of a repeated header the last one counts."""

    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def kind(self) -> str:
        """Its Content-Type: one of `Kind`, or another that concerns nobody here."""
        return self.headers.get("Content-Type", "")

    @property
    def text(self) -> str:
        """What it says: a command's reply, or the body."""
        said = self.headers.get("Reply-Text") if self.kind == Kind.COMMAND_REPLY else None
        return self.body.decode(errors="replace") if said is None else said


@dataclass(frozen=True, slots=True)
class Event:
    """An event of the switch: its headers decoded, and its body, which BACKGROUND_JOB has."""

    headers: Mapping[str, str]
    body: str = ""

    @property
    def name(self) -> str:
        """As the switch names it: CHANNEL_ANSWER ..."""
        return self.headers.get("Event-Name", "")


class Framer:
    """Takes bytes as they come and gives the frames that are complete."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._headers: dict[str, str] | None = None  # of the frame whose body is under way
        self._lacking = 0
        self._searched = 0

    def feed(self, piece: bytes) -> list[Frame]:
        """The frames that `piece` completes; raises BadFrame."""
        self._kept += piece
        frames: list[Frame] = []
        while (frame := self._next()) is not None:
            frames.append(frame)
        return frames

    def _next(self) -> Frame | None:
        if self._headers is None and not self._take_headers():
            return None
        if self._headers is None or len(self._kept) < self._lacking:
            return None
        frame = Frame(self._headers, bytes(self._kept[: self._lacking]))
        del self._kept[: self._lacking]
        self._headers, self._lacking = None, 0
        return frame

    def _take_headers(self) -> bool:
        end = self._kept.find(_END, self._searched)
        if end < 0:
            self._searched = max(0, len(self._kept) - 1)
            if len(self._kept) > MOST_HEADER_BYTES:
                raise BadFrame("The headers of a frame have no end.")
            return False
        self._headers = _headers(bytes(self._kept[:end]))
        self._lacking = _length(self._headers)
        del self._kept[: end + len(_END)]
        self._searched = 0
        return True


def event_of(frame: Frame) -> Event:
    """The event in a frame of one of the kinds `EVENTS`; raises BadFrame."""
    if frame.kind == Kind.EVENT_JSON:
        return _json_event(frame.body)
    head, _, body = frame.body.partition(_END)
    headers = {name: _decoded(value) for name, value in _headers(head).items()}
    length = _length(headers)
    if length > len(body):
        raise BadFrame("An event's body is longer than its frame.")
    return Event(headers, body[:length].decode(errors="replace"))


def _json_event(body: bytes) -> Event:
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise BadFrame("An event in JSON is none.") from exc
    if not isinstance(fields, dict):
        raise BadFrame("An event in JSON is no object.")
    text = str(fields.pop("_body", ""))
    return Event({name: str(value) for name, value in fields.items()}, text)


def _headers(block: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in block.decode(errors="replace").split("\n"):
        name, colon, value = line.partition(":")
        if colon:
            found[name.strip()] = value.strip()
    return found


def _length(headers: Mapping[str, str]) -> int:
    said = headers.get("Content-Length", "0")
    if not (said.isascii() and said.isdigit()) or int(said) > MOST_BODY_BYTES:
        raise BadFrame("A frame's Content-Length is no length.")
    return int(said)


def _decoded(value: str) -> str:
    return unquote(value) if "%" in value else value
