"""The database as COPY sends and takes it, whatever release of Postgres it is."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Protocol

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import ISOLATION_LEVEL_REPEATABLE_READ, cursor
from psycopg2.extensions import connection as Connection  # noqa: N812  psycopg2 names its class so
from sqlalchemy import Table
from sqlalchemy.engine import make_url

from stellwerk.backup.archive import Manifest, Packer, Parts
from stellwerk.bootstrap import metadata
from stellwerk.db.engine import forget_values

# As COPY writes values; what a server's configuration says must not change that.
_OPTIONS = (
    "-c timezone=GMT -c datestyle=ISO -c intervalstyle=postgres -c client_encoding=UTF8"
    " -c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0"
)
_SEQUENCES = """
    SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = current_schema()
    ORDER BY sequencename
"""
_WITH_TRIGGERS = """
    SELECT DISTINCT c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace
"""
# Wake-ups are not in a backup: the dispatcher is to send them again.
_UNPUBLISH = "UPDATE jobs SET published_at = NULL WHERE published_at IS NOT NULL"


class Readable(Protocol):
    """What COPY takes rows from."""

    def read(self, size: int = ..., /) -> bytes:
        """The next bytes; none at the end."""

    def readline(self, size: int = ..., /) -> bytes:
        """Never asked for; psycopg2's types want it."""


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """A connection of its own, without the limits of requests and jobs."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    made = psycopg2.connect(
        plain, application_name="stellwerk-backup", connect_timeout=5, options=_OPTIONS
    )
    with closing(made) as connection:
        try:
            yield connection
        except psycopg2.Error as exc:
            forget_values(exc)  # it quotes the row that it could not load
            raise


@contextmanager
def snapshot(url: str) -> Iterator[Connection]:
    """The database as it is at this moment, whatever is written meanwhile."""
    with connected(url) as connection:
        connection.set_session(isolation_level=ISOLATION_LEVEL_REPEATABLE_READ, readonly=True)
        yield connection


def dump(connection: Connection, packer: Packer) -> None:
    """Every table, those that others refer to first; then the sequences, which only grow."""
    manifest = packer.manifest
    with connection.cursor() as rows:
        for table in metadata().sorted_tables:
            columns = [column.name for column in table.columns if column.computed is None]
            parts = Parts(packer.add, f"tables/{table.name}")
            rows.copy_expert(_copy(table.name, columns, "TO STDOUT"), parts)
            parts.flush()
            manifest.tables[table.name] = {"columns": columns, "rows": rows.rowcount}
        rows.execute(_SEQUENCES)
        manifest.sequences = dict(rows.fetchall())


def files(connection: Connection) -> Iterator[tuple[str, int, str]]:
    """Key, size and SHA-256 of every artifact that the snapshot knows."""
    with connection.cursor("artifacts") as rows:
        rows.execute("SELECT storage_key, size_bytes, sha256 FROM job_artifacts ORDER BY 1")
        yield from rows


def has_accounts(connection: Connection) -> bool:
    """Whether anybody has an account: then the database is in use."""
    with connection.cursor() as rows:
        rows.execute("SELECT EXISTS (SELECT 1 FROM users)")
        return bool((rows.fetchone() or (False,))[0])


class Loading:
    """A restore's one transaction: begun by emptying every table, ended by `finish`."""

    def __init__(self, connection: Connection, manifest: Manifest) -> None:
        self._connection = connection
        self._manifest = manifest
        with connection.cursor() as rows:
            rows.execute(_WITH_TRIGGERS)
            self._guarded = [name for (name,) in rows.fetchall()]
            self._guard(rows, "DISABLE")
            rows.execute(_truncate(tuple(metadata().tables.values())))

    def load(self, table: str, content: Readable) -> None:
        """The rows of one table."""
        columns = self._manifest.tables[table]["columns"]
        with self._connection.cursor() as rows:
            rows.copy_expert(_copy(table, columns, "FROM STDIN"), content, size=65536)

    def finish(self) -> None:
        """Sequences as they were; the transaction is still to be committed."""
        with self._connection.cursor() as rows:
            for name, last in self._manifest.sequences.items():
                if last is not None:
                    rows.execute("SELECT setval(%s::regclass, %s)", (f'"{name}"', last))
            rows.execute(_UNPUBLISH)
            rows.execute("SET CONSTRAINTS ALL IMMEDIATE")
            self._guard(rows, "ENABLE")

    def _guard(self, rows: cursor, how: str) -> None:
        """Tables may refuse changes by triggers, or make their own values."""
        for name in self._guarded:
            statement = sql.SQL("ALTER TABLE {} {} TRIGGER USER")
            rows.execute(statement.format(sql.Identifier(name), sql.SQL(how)))


def _copy(table: str, columns: Sequence[str], direction: str) -> sql.Composed:
    return sql.SQL("COPY {} ({}) {}").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(direction),
    )


def _truncate(tables: Sequence[Table]) -> sql.Composed:
    named = sql.SQL(", ").join(sql.Identifier(table.name) for table in tables)
    return sql.SQL("TRUNCATE {} CASCADE").format(named)
