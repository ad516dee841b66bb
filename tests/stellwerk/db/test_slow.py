"""Statements that take long are logged, and nothing of their values."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs

from stellwerk.bootstrap import Platform
from stellwerk.db.direct import Direct, prepared
from stellwerk.db.slow import watch

SLOW_S = 0.05
NAP = prepared("nap", "SELECT pg_sleep(:nap_s)", nap_s="float8")


@pytest.fixture
def engine(platform: Platform) -> Iterator[Engine]:
    made = create_engine(platform.engine.url)
    yield made
    made.dispose()


def slow(lines: list[Any]) -> list[Any]:
    return [line for line in lines if line["event"] == "slow query"]


def test_a_slow_statement_is_logged_without_its_values(engine: Engine) -> None:
    watch(engine, SLOW_S)
    with capture_logs() as lines, engine.connect() as connection:
        connection.execute(text("SELECT :secret,\n pg_sleep(0.1)"), {"secret": "mark"})

    line = slow(lines)[-1]
    assert line["duration_ms"] >= 100
    assert (line["log_level"], "pg_sleep" in line["statement"]) == ("warning", True)
    assert "mark" not in str(slow(lines))
    assert "\n" not in line["statement"]


def test_a_slow_statement_that_fails_is_logged_too(engine: Engine) -> None:
    watch(engine, SLOW_S)
    with engine.connect() as connection:
        connection.execute(text("SET statement_timeout = 100"))
        with capture_logs() as lines, pytest.raises(DBAPIError):
            connection.execute(text("SELECT pg_sleep(5)"))
    assert [line["statement"] for line in slow(lines)] == ["SELECT pg_sleep(5)"]


def test_prepared_statements_are_watched_too(platform: Platform) -> None:
    with capture_logs() as lines:
        Direct(platform.engine, SLOW_S).rows(NAP, {"nap_s": 0.1})
    assert len(slow(lines)) == 1


def test_nothing_is_watched_where_the_limit_is_0(engine: Engine) -> None:
    watch(engine, 0)
    with capture_logs() as lines, engine.connect() as connection:
        connection.execute(text("SELECT pg_sleep(0.1)"))
        Direct(engine).rows(NAP, {"nap_s": 0.1})
    assert slow(lines) == []
