"""Columns that Postgres encrypts: found by their hashes, and no server shows the keys."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import (
    Column,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    insert,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError

from embedded import QUICK, _running, fresh_database
from stellwerk.db.encrypted import Encrypted
from stellwerk.db.engine import build_engine
from stellwerk.db.extensions import require_pgcrypto
from stellwerk.db.migrate import upgrade
from stellwerk.errors import ConfigurationError
from stellwerk.settings import Settings, load_settings
from stellwerk.stack.home import Home
from stellwerk.stack.ports import free_port
from stellwerk.stack.postgres import database_url, make_cluster, make_database, postgres_program
from stellwerk.stack.postgres_place import find_place, remove_data
from stellwerk.vault import Vault

OLD, NEW = "a" * 40, "b" * 40
NUMBER = "+493012345567"

TALL = Table(
    "secrets_of_tests",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("number", Encrypted),
    Column("number_hash", String(64), unique=True),
)


@contextmanager
def table(url: str, vault: Vault) -> Iterator[Engine]:
    """An engine with the vault's keys, and the table."""
    engine = build_engine(url, pool_size=2, role="test-encrypted", vault=vault)
    TALL.metadata.create_all(engine)
    try:
        yield engine
    finally:
        TALL.metadata.drop_all(engine)
        engine.dispose()


def add(engine: Engine, vault: Vault, number: str | None) -> None:
    hashed = vault.lookups(number)[0] if number else None
    with engine.begin() as connection:
        connection.execute(insert(TALL).values(number=number, number_hash=hashed))


def read(engine: Engine) -> list[str | None]:
    with engine.connect() as connection:
        return list(connection.scalars(select(TALL.c.number).order_by(TALL.c.id)))


def raw(engine: Engine) -> bytes:
    with engine.connect() as connection:
        stored = connection.execute(text(f"SELECT number FROM {TALL.name}"))  # noqa: S608  a constant
        return b"|".join(bytes(one or b"") for one in stored.scalars())


def test_the_table_holds_ciphertext_under_a_named_key_and_reads_give_the_text(
    settings: Settings,
) -> None:
    vault = Vault([NEW, OLD])
    with table(settings.database(), vault) as engine:
        for number in (NUMBER, None, "", "ä'\\ %(x)s"):
            add(engine, vault, number)
        assert read(engine) == [NUMBER, None, "", "ä'\\ %(x)s"]
        assert NUMBER.encode() not in raw(engine)
        assert raw(engine).startswith(f"{vault.present_key}:".encode())


def test_the_same_text_is_stored_differently_each_time_and_found_by_its_hash(
    settings: Settings,
) -> None:
    old, both = Vault([OLD]), Vault([NEW, OLD])
    with table(settings.database(), old) as engine:
        add(engine, old, NUMBER)
        first = raw(engine)
        with engine.begin() as connection:
            connection.execute(TALL.delete())
        add(engine, old, NUMBER)
        assert raw(engine) != first
        found = select(TALL.c.number).where(TALL.c.number_hash.in_(both.lookups(NUMBER)))
        with engine.connect() as connection:
            assert connection.scalars(found).all() == [NUMBER]


def test_both_keys_read_while_a_new_one_comes_first_and_a_missing_one_is_an_error(
    settings: Settings,
) -> None:
    old, both = Vault([OLD]), Vault([NEW, OLD])
    with table(settings.database(), old) as engine:
        add(engine, old, NUMBER)
        renewed = build_engine(settings.database(), pool_size=1, role="new", vault=both)
        add(renewed, both, "+491")
        assert read(renewed) == [NUMBER, "+491"]
        with pytest.raises(DBAPIError, match=f"stellwerk.key_{both.present_key}"):
            read(engine)
        renewed.dispose()


def test_no_repr_and_no_error_tells_a_key_or_a_value(settings: Settings) -> None:
    vault = Vault([NEW])
    keys = set(vault.database_settings().values()) - {vault.present_key}
    with table(settings.database(), vault) as engine:
        add(engine, vault, NUMBER)
        with engine.connect() as connection:
            shown = repr(connection.connection.dbapi_connection) + repr(engine)
        with pytest.raises(DBAPIError) as refused:
            add(engine, vault, NUMBER)  # the hash is unique
        shown += str(refused.value)
    assert not [key for key in keys if key in shown]
    assert NUMBER not in shown


@contextmanager
def talkative_server(folder: Path) -> Iterator[tuple[str, Path]]:
    """A server that writes down and counts all it can; gives its URL and its log."""
    home = Home(folder.absolute())
    home.prepare()
    place, port = find_place(home), free_port()
    make_cluster(place, "only-for-tests")
    url = database_url(port, "only-for-tests")
    loud = {
        "shared_preload_libraries": "pg_stat_statements",
        "pg_stat_statements.track": "all",
        "log_statement": "all",
        "log_connections": "on",
        "log_disconnections": "on",
        "log_duration": "on",
        "log_min_error_statement": "debug5",
        "log_min_messages": "debug2",
        "log_error_verbosity": "verbose",
    }
    try:
        with _running(
            postgres_program(place, port, QUICK | loud), home, lambda: make_database(url)
        ):
            yield url, home.logs / "server.log"
    finally:
        remove_data(home)


def test_not_even_a_server_that_writes_everything_down_shows_the_keys(tmp_path: Path) -> None:
    vault = Vault([NEW, OLD])
    keys = set(vault.database_settings().values()) - {vault.present_key}
    with talkative_server(tmp_path) as (plain, log):
        url = load_settings(database_url=plain).database()
        upgrade(url)
        with table(url, vault) as engine, psycopg2.connect(plain) as other:
            add(engine, vault, NUMBER)
            assert read(engine) == [NUMBER]
            with pytest.raises(DBAPIError):
                add(engine, vault, NUMBER)
            seen = ""
            with other.cursor() as cursor:
                cursor.execute("CREATE EXTENSION pg_stat_statements")
                for view in ("pg_stat_activity", "pg_settings", "pg_stat_statements"):
                    cursor.execute(f"SELECT v::text FROM {view} v")  # noqa: S608  a constant
                    seen += "\n".join(row[0] for row in cursor.fetchall())
        seen += log.read_text(errors="replace")
    assert "pgp_sym_encrypt" in seen
    assert not [key for key in keys if key in seen]


def test_a_role_that_may_not_install_the_extension_is_told_what_to_do(
    postgres_server: str,
) -> None:
    with fresh_database(postgres_server) as url:
        admin = create_engine(load_settings(database_url=url).database())
        with admin.begin() as connection:
            connection.execute(text("CREATE ROLE poor LOGIN PASSWORD 'poor'"))
        poor = create_engine(admin.url.set(username="poor", password="poor"))
        try:
            with poor.connect() as connection, pytest.raises(ConfigurationError) as refused:
                require_pgcrypto(connection)
            assert "CREATE EXTENSION pgcrypto" in refused.value.message
        finally:
            poor.dispose()
            with admin.begin() as connection:
                connection.execute(text("DROP ROLE poor"))
            admin.dispose()
