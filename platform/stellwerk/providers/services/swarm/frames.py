"""Logs as Docker sends them: frames of standard output and standard error, with their times.

See "Stream format" of Docker's API: a byte that says which, three zeros, the length as four bytes,
the content. Each frame is a line, or a part of one that is longer than 16 KiB.
"""

import re
import struct
from collections.abc import Iterator, Sequence
from datetime import datetime

from stellwerk.errors import ProviderRejected
from stellwerk.providers.services.lines import line_of
from stellwerk.providers.services.protocol import LogPage

HEAD = struct.Struct(">BxxxL")
CURSOR = re.compile(r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z)\+(?P<number>\d{1,9})")

Line = tuple[str, str]  # its time, to the nanosecond, and its text


def newest(sent: bytes, number: int) -> LogPage:
    """The last lines."""
    lines = _lines(sent)
    return _page(lines, max(len(lines) - number, 0), len(lines))


def following(sent: bytes, cursor: str, number: int) -> LogPage:
    """The first lines after a cursor."""
    time, given = _parsed(cursor)
    lines = [line for line in _lines(sent) if line[0] >= time]
    begin = min(given, sum(line[0] == time for line in lines))
    if begin == len(lines):
        return LogPage([], cursor)
    return _page(lines, begin, min(begin + number, len(lines)))


def since(cursor: str) -> str:
    """The time of a cursor as Docker takes it: seconds since 1970, with nanoseconds."""
    time, _ = _parsed(cursor)
    whole = datetime.fromisoformat(f"{time[:19]}+00:00")
    return f"{int(whole.timestamp())}.{time[20:29]}"


def _parsed(cursor: str) -> tuple[str, int]:
    found = CURSOR.fullmatch(cursor)
    if not found:
        raise ProviderRejected("The cursor is none that a page of this log ended with.")
    return found["time"], int(found["number"])


def _page(lines: Sequence[Line], begin: int, end: int) -> LogPage:
    """Its cursor counts the lines of the last time: several may have the same."""
    if not end:
        return LogPage([], "")
    last = lines[end - 1][0]
    number = sum(line[0] == last for line in lines[:end])
    return LogPage([text for _, text in lines[begin:end]], f"{last}+{number}")


def _lines(sent: bytes) -> list[Line]:
    """In the order of their times: tasks come one after the other."""
    return sorted(_frames(sent), key=lambda line: line[0])


def _frames(sent: bytes) -> Iterator[Line]:
    at = 0
    while at + HEAD.size <= len(sent):
        _, length = HEAD.unpack_from(sent, at)
        content = sent[at + HEAD.size : at + HEAD.size + length]
        at += HEAD.size + length
        time, _, text = content.partition(b" ")
        yield _fixed(line_of(time)), line_of(text.rstrip(b"\n"))


def _fixed(time: str) -> str:
    """With nine digits after the point, so that times compare as text."""
    whole, _, rest = time.removesuffix("Z").partition(".")
    return f"{whole}.{rest:0<9}Z"
