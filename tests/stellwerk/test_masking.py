"""Logs hold nobody's number or address in full."""

import json
import logging
from typing import Any

import pytest
import structlog

from stellwerk.logs import configure_logs
from stellwerk.masking import masked, masked_email, masked_number, masked_text
from stellwerk.settings import load_settings


@pytest.fixture(autouse=True)
def _restored_logging() -> Any:
    root, configured = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.configure(**configured)


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("+493012345567", "+4930•••567"),
        ("+49 (30) 123 45-567", "+4930•••567"),
        ("0301234567", "0301•••567"),
        ("1234567", "12•••67"),
        ("112", "•••"),
    ],
)
def test_a_number_keeps_its_place_and_its_end(number: str, shown: str) -> None:
    assert masked_number(number) == shown


def test_an_address_keeps_its_first_letter_and_its_domain() -> None:
    assert masked_email("ada.lovelace@example.com") == "a•••@example.com"
    assert masked_email("ada.lovelace") == "•••"


def test_lists_and_what_is_no_text_are_masked_too() -> None:
    found = masked(["ada@example.com", "+493012345567", 493012345567, None, {"x": "0301234567"}])

    assert found == ["a•••@example.com", "+4930•••567", "4930•••567", None, {"x": "0301•••567"}]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("calls +4930 1234 5567 now", "calls +4930•••567 now"),
        ("to ada@example.com, bob@x.org.", "to a•••@example.com, b•••@x.org."),
        ("1 + 1 at 2026-11-22T14:00:00+01:00", "1 + 1 at 2026-11-22T14:00:00+01:00"),
        ("job 0198c0de-7c1e-7f00-8000-0123456789ab", "job 0198c0de-7c1e-7f00-8000-0123456789ab"),
    ],
)
def test_free_text_loses_only_what_looks_like_one(text: str, shown: str) -> None:
    assert masked_text(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("dials 004930123456 now", "dials 0049•••456 now"),
        ("00 49 30 1234567", "0049•••567"),
        ("030 1234567", "0301•••567"),
        ("(030) 123 45-67 is busy", "0301•••567 is busy"),
        ("0171/1234567: refused", "0171•••567: refused"),
        ("number=0301234567, caller=0401234567", "number=0301•••567, caller=0401•••567"),
        ("to:0301234567", "to:0301•••567"),
        ("'0301234567'", "'0301•••567'"),
        ("0301234567.", "0301•••567."),
        ("sip:493012341001@10.0.0.1", "sip:4•••@10.0.0.1"),
        ("sofia/gateway/trunk/493012341001 failed", "sofia/gateway/trunk/4930•••001 failed"),
        ("loopback/030123456/default", "loopback/03•••56/default"),
        ("sips:493012341001 is busy", "sips:4930•••001 is busy"),
        ("tel:0301234567", "tel:0301•••567"),
    ],
)
def test_a_number_without_a_plus_is_masked_as_it_is_dialled(text: str, shown: str) -> None:
    assert masked_text(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "01920598-9412-7600-8000-012345678912",
        "job 0192059894127600abcdef0123456789",
        "trace 01234567890123456789012345678901",
        "took 0.0123456 s of 1.0301234567",
        "1048576 bytes, 4294967296 at most",
        "at 1763851234567",
        "09:15:07 05:06 123456 rows",
        "2026-01-02T03:04:05.060708+01:00 and 01/02/2026, 01-02-2026, 01.02.2026",
        "/2026/01/02/0123456.log",
        "job 000000123456, exit 0 1234567 times",
        "SQLSTATE 08006, port 65535, pid 1234567",
        "0001_initial_0123456",
        "127.0.0.1:54321, 10.0.0.1",
        "0123 456",
        "mode 0755, not 0644",
        "100 0000000 %",
    ],
)
def test_ids_times_and_sizes_stay_as_they_are(text: str) -> None:
    assert masked_text(text) == text


@pytest.mark.parametrize("way", ["through logging", "straight"])
def test_no_log_line_holds_a_number_or_an_address(
    way: str, capfd: pytest.CaptureFixture[str]
) -> None:
    configure_logs(load_settings(log_format="json"), role="tests", forks=way == "through logging")

    log = structlog.get_logger()
    log.warning("dialling +493012345567", to="+493012345567", email="ada@example.com", count=3)
    logging.getLogger("a.library").warning("550 no such user: %s", "ada@example.com")
    log.error("refused", to="ready", exc_info=ValueError("ada@example.com has +493012345567"))

    own, library, refused = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert own["event"] == "dialling +4930•••567"
    assert (own["to"], own["email"], own["count"]) == ("+4930•••567", "a•••@example.com", 3)
    assert library["event"] == "550 no such user: a•••@example.com"
    assert refused["to"] == "ready"
    assert "ValueError: a•••@example.com has +4930•••567" in refused["exception"]
