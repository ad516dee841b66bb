"""What an engine's errors tell, and which of its connections it lends."""

import traceback
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from stellwerk.bootstrap import Platform
from stellwerk.db.direct import prepared
from stellwerk.jobs.context import JobContext
from stellwerk_workers.reports import Came
from trial import trial

SECRET = "planted-0123456789"  # noqa: S105  only for this


def test_a_statement_that_fails_in_a_handler_is_told_without_its_values(
    platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    def handler(ctx: JobContext, _: dict[str, Any]) -> None:
        with ctx.transaction() as session:
            session.execute(text("SELECT :secret FROM no_such_table"), {"secret": SECRET})

    with trial(platform, handler) as run:
        job_id = run.submit()
        assert run.attempt(job_id).came is Came.AGAIN
        told = f"{run.document(job_id)} {[line.message for line in run.logs(job_id)]}"

    assert "no_such_table" in told
    assert SECRET not in told + "".join(capsys.readouterr())


def test_a_row_that_is_there_already_is_told_without_its_key(platform: Platform) -> None:
    statement = text("CREATE TEMP TABLE t (k text UNIQUE); INSERT INTO t VALUES (:k), (:k)")
    with platform.engine.connect() as connection, pytest.raises(DBAPIError) as caught:
        connection.execute(statement, {"k": SECRET})
    told = "".join(traceback.format_exception(caught.value))
    assert "duplicate key" in told
    assert SECRET not in told


def test_a_prepared_statement_that_fails_is_told_without_its_values(platform: Platform) -> None:
    statement = prepared("planted", "SELECT CAST(:value AS json)", value="text")
    with pytest.raises(DBAPIError) as caught:
        platform.runtime.direct.rows(statement, {"value": f'{{"a": {SECRET}'})
    told = "".join(traceback.format_exception(caught.value))
    assert "invalid input syntax" in told
    assert SECRET not in told


def test_the_connection_that_was_used_last_is_lent_next(platform: Platform) -> None:
    backend = text("SELECT pg_backend_pid()")
    with platform.engine.connect() as first, platform.engine.connect() as second:
        assert first.scalar(backend) != second.scalar(backend)
    pids = set()
    for _ in range(3):
        with platform.engine.connect() as connection:
            pids.add(connection.scalar(backend))
    assert len(pids) == 1
