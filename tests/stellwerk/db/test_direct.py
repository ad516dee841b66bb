from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DataError, DBAPIError

from embedded import wait_until
from stellwerk.db.direct import Direct, prepared
from stellwerk.db.engine import build_engine
from stellwerk.settings import Settings

ROLE = "test-direct"
DIVIDE = prepared("divide", "SELECT :a / :b, :note::text", note="text", b="int", a="int")
END_OTHERS = text("""
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = :role AND pid <> pg_backend_pid()
""")
OTHERS = text("SELECT count(*) FROM pg_stat_activity WHERE application_name = :role")


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    made = build_engine(settings.database(), pool_size=2, role=ROLE)
    yield made
    made.dispose()


@pytest.fixture
def elsewhere(settings: Settings) -> Iterator[Engine]:
    made = build_engine(settings.database(), pool_size=1, role="test-elsewhere")
    yield made
    made.dispose()


def end_connections(elsewhere: Engine) -> None:
    role = {"role": f"stellwerk-{ROLE}"}
    watching = elsewhere.execution_options(isolation_level="AUTOCOMMIT")  # not one snapshot
    with watching.connect() as connection:
        connection.execute(END_OTHERS, role)
        wait_until(lambda: not connection.scalar(OTHERS, role))


def test_a_statement_is_prepared_once_per_connection_and_gets_its_values_by_name(
    engine: Engine,
) -> None:
    direct = Direct(engine)
    for _ in range(3):
        assert direct.rows(DIVIDE, {"a": 6, "b": 2, "note": "it's 100 %"}) == [(3, "it's 100 %")]
    with engine.connect() as connection:
        count = text("SELECT count(*) FROM pg_prepared_statements WHERE name = 'divide'")
        assert connection.scalar(count) == 1


def test_what_postgres_refuses_is_sqlalchemys_error_and_spoils_no_connection(
    engine: Engine,
) -> None:
    direct = Direct(engine)
    for _ in range(3):
        with pytest.raises(DataError) as refused:
            direct.rows(DIVIDE, {"a": 1, "b": 0, "note": ""})
        assert not refused.value.connection_invalidated
    assert direct.rows(DIVIDE, {"a": 1, "b": 1, "note": ""}) == [(1, "")]


def test_the_pools_connections_begin_transactions_again_after_a_direct_statement(
    engine: Engine,
) -> None:
    Direct(engine).rows(DIVIDE, {"a": 1, "b": 1, "note": ""})
    with engine.connect() as connection:
        connection.execute(text("CREATE TEMPORARY TABLE kept (a int)"))
        connection.rollback()
        assert connection.scalar(text("SELECT to_regclass('kept')")) is None


def test_connections_that_the_server_ended_fail_nobody(engine: Engine, elsewhere: Engine) -> None:
    direct = Direct(engine)
    direct.rows(DIVIDE, {"a": 1, "b": 1, "note": ""})
    end_connections(elsewhere)
    assert direct.rows(DIVIDE, {"a": 4, "b": 2, "note": ""}) == [(2, "")]
    end_connections(elsewhere)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1


def test_a_connection_that_ends_within_a_statement_is_said_to_be_gone(engine: Engine) -> None:
    direct = Direct(engine)
    farewell = prepared("farewell", "SELECT pg_terminate_backend(pg_backend_pid() + :a)", a="int")
    with pytest.raises(DBAPIError) as gone:
        direct.rows(farewell, {"a": 0})
    assert gone.value.connection_invalidated
    assert direct.rows(DIVIDE, {"a": 1, "b": 1, "note": ""}) == [(1, "")]
