"""What an engine's errors tell, and which of its connections it lends."""

import io
import traceback
from typing import Any

import psycopg2
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from stellwerk.backup.database import connected
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


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("CAST(:value AS integer)", "invalid input syntax for type integer"),
        ("CAST(:value AS uuid)", "invalid input syntax for type uuid"),
        ("CAST(:value AS timestamptz)", "invalid input syntax for type timestamp"),
        ("to_number('1', '9') + CAST(:value AS int)", "invalid input syntax for type integer"),
    ],
)
@pytest.mark.parametrize("value", [SECRET, f'a "quoted" {SECRET}', f"{SECRET}\nin lines"])
def test_a_value_that_postgres_refuses_is_not_told(
    platform: Platform, expression: str, said: str, value: str
) -> None:
    with platform.engine.connect() as connection, pytest.raises(DBAPIError) as caught:
        connection.execute(text(f"SELECT {expression}"), {"value": value})
    direct = prepared(f"p_{abs(hash(expression))}", f"SELECT {expression}", value="text")
    with pytest.raises(DBAPIError) as from_direct:
        platform.runtime.direct.rows(direct, {"value": value})
    for error in (caught.value, from_direct.value):
        told = "".join(traceback.format_exception(error)) + f"{error.orig!r}"
        assert said in told
        assert SECRET not in told


def load_twice(database_url: str) -> None:
    """Load the same row twice, as a restore would."""
    with connected(database_url) as connection, connection.cursor() as rows:
        rows.execute("CREATE TEMP TABLE t (k text UNIQUE)")
        rows.copy_expert("COPY t FROM STDIN", io.StringIO(f"{SECRET}\n{SECRET}\n"))


def test_a_row_that_cannot_be_restored_is_told_without_its_values(database_url: str) -> None:
    with pytest.raises(psycopg2.Error) as caught:
        load_twice(database_url)
    told = "".join(traceback.format_exception(caught.value))
    assert "duplicate key" in told
    assert SECRET not in told


def test_the_embedded_server_writes_no_error_down(platform: Platform) -> None:
    with platform.engine.connect() as connection:
        assert connection.scalar(text("SHOW log_min_messages")) == "log"
        assert connection.scalar(text("SHOW log_min_error_statement")) == "panic"


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
