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
