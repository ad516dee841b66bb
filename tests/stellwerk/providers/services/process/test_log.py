from pathlib import Path

import pytest

from stellwerk.providers.services.process import log
from stellwerk.providers.services.process.log import LogWriter, read_page


@pytest.fixture(autouse=True)
def _small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    # Files turn over after a few lines, not after megabytes.
    monkeypatch.setattr(log, "FILE_BYTES", 100)


def numbers(first: int, end: int) -> bytes:
    return b"".join(b"line %04d\n" % number for number in range(first, end))


def test_a_log_is_read_page_by_page_without_a_gap_or_a_line_twice(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path)
    page = read_page(tmp_path, tail=5, after=None)
    read: list[str] = []
    for first in range(0, 60, 6):
        writer.write(numbers(first, first + 6))
        page = read_page(tmp_path, tail=100, after=int(page.cursor))
        read += page.lines

    assert read == numbers(0, 60).decode().splitlines()


def test_the_oldest_lines_are_given_up(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path)
    for first in range(0, 60, 6):
        writer.write(numbers(first, first + 6))

    assert len(list(tmp_path.iterdir())) == 2
    kept = read_page(tmp_path, tail=1000, after=0).lines
    assert kept[-1] == "line 0059"
    assert kept == numbers(60 - len(kept), 60).decode().splitlines()


def test_another_writer_goes_on_where_the_one_before_ended(tmp_path: Path) -> None:
    LogWriter(tmp_path).write(numbers(0, 4))
    cursor = read_page(tmp_path, tail=1, after=None).cursor

    LogWriter(tmp_path).write(numbers(4, 8))

    assert read_page(tmp_path, tail=9, after=int(cursor)).lines[0] == "line 0004"


def test_a_line_is_read_when_it_is_whole(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path)
    writer.write(b"half")
    assert read_page(tmp_path, tail=9, after=None).lines == []

    writer.end_line()
    writer.end_line()

    assert read_page(tmp_path, tail=9, after=None).lines == ["half"]


def test_a_cursor_of_another_log_begins_with_the_oldest_line(tmp_path: Path) -> None:
    LogWriter(tmp_path).write(numbers(0, 2))

    assert read_page(tmp_path, tail=1, after=99_999).lines == ["line 0000"]


def test_what_is_no_text_can_be_kept_all_the_same(tmp_path: Path) -> None:
    LogWriter(tmp_path).write(b"a\0b\xff\n" + b"x" * 10_000 + b"\n")

    odd, long = read_page(tmp_path, tail=9, after=0).lines

    assert odd == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}"
    assert len(long) == 8192


def test_who_follows_a_line_longer_than_a_page_is_not_led_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A line that is longer than a page, without megabytes.
    monkeypatch.setattr(log, "PAGE_BYTES", 50)
    LogWriter(tmp_path).write(b"first\n" + b"x" * 80)
    page = read_page(tmp_path, tail=1, after=6)
    assert page.lines == ["x" * 50]

    page = read_page(tmp_path, tail=1, after=int(page.cursor))
    assert page.lines == []

    LogWriter(tmp_path).write(b"\nlast\n")
    assert read_page(tmp_path, tail=9, after=int(page.cursor)).lines == ["x" * 30, "last"]


def test_a_log_goes_on_in_its_file_where_there_is_no_place_for_another(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path)
    next_file = tmp_path / "log.110"
    next_file.mkdir()  # what cannot be opened as a file

    writer.write(numbers(0, 11))
    next_file.rmdir()
    writer.write(numbers(11, 12))

    assert read_page(tmp_path, tail=9, after=0).lines == numbers(0, 12).decode().splitlines()[:9]
    assert (tmp_path / "log.120").exists()
