"""Pages of a log as Docker sends it."""

import struct

import pytest

from stellwerk.errors import ProviderRejected
from stellwerk.providers.services.protocol import LogPage
from stellwerk.providers.services.swarm import frames


def sent(*lines: tuple[str, str]) -> bytes:
    """Frames as Docker makes them of these times and texts."""
    contents = [f"2026-11-23T06:17:{time}Z {text}\n".encode() for time, text in lines]
    return b"".join(struct.pack(">BxxxL", 1, len(one)) + one for one in contents)


def test_lines_of_several_tasks_come_in_the_order_of_their_times() -> None:
    page = frames.newest(sent(("03.000000001", "c"), ("01.5", "a"), ("02", "b")), 2)

    assert page.lines == ["b", "c"]
    assert page.cursor == "2026-11-23T06:17:03.000000001Z+1"


def test_lines_of_the_same_moment_are_neither_lost_nor_told_twice() -> None:
    log = sent(("01.5", "a"), ("02.5", "b"), ("02.5", "c"), ("02.5", "d"), ("03.5", "e"))

    first = frames.following(log, frames.newest(sent(("01.5", "a")), 1).cursor, 2)
    second = frames.following(log, first.cursor, 2)

    assert (first.lines, second.lines) == (["b", "c"], ["d", "e"])
    assert frames.following(log, second.cursor, 2) == LogPage([], second.cursor)


def test_a_cursor_stays_where_it_is_while_nothing_follows() -> None:
    cursor = frames.newest(sent(("01.5", "a")), 1).cursor

    assert frames.following(b"", cursor, 10) == LogPage([], cursor)


def test_an_empty_log_has_no_cursor() -> None:
    assert frames.newest(b"", 10) == LogPage([], "")


def test_a_frame_that_was_cut_off_is_told_as_far_as_it_came() -> None:
    assert frames.newest(sent(("01.5", "a"), ("02.5", "whole"))[:-3], 10).lines == ["a", "who"]


def test_docker_is_asked_by_seconds_and_nanoseconds() -> None:
    assert frames.since("2026-11-23T06:17:41.110800279Z+2") == "1795414661.110800279"


@pytest.mark.parametrize(
    "cursor", ["1", "2026-11-23T06:17:41Z+1", "2026-11-23T06:17:41.110800279Z"]
)
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(ProviderRejected, match="cursor"):
        frames.since(cursor)


def test_a_nul_in_a_line_does_not_keep_it_from_being_kept() -> None:
    assert frames.newest(sent(("01.5", "a\0b")), 1).lines == ["a\N{REPLACEMENT CHARACTER}b"]
