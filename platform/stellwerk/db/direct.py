"""Single statements, each its own transaction, planned once per connection.

psycopg2 sends BEGIN and COMMIT as round trips of their own and cannot prepare; on the paths that
every job takes, one `EXECUTE` on an autocommit connection costs half of that. The connections
are the pool's, so this adds none. (A pooler in transaction mode would break them:
docs/operations_guide.md says what to do instead.)

A plan that is kept must not depend on the moment it was made: statistics are older than a backlog
that came a second ago, and a plan made while a table was small would read all of it once it is
large. So these statements walk indices, whatever the statistics say, and keep one plan. Rows are
named by `= ANY(...)` or within LATERAL: a join may be planned as a walk through the whole index.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812  psycopg2 names its class so
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.pool import PoolProxiedConnection

from stellwerk.db.engine import forget_values
from stellwerk.db.slow import timed

Table = tuple[list[str], list[tuple[Any, ...]]]  # columns' names, and rows
_NAME = re.compile(r"(?<!:):(\w+)")
_TRY_LOCK = text("SELECT pg_try_advisory_lock(hashtextextended(:name, 0))")
_STEADY = {"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off", "jit": "off"}


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement as each connection is taught it, and as it is then called."""

    name: str
    definition: str
    call: str


def prepared(name: str, sql: str, without: Sequence[str] = (), **types: str) -> Prepared:
    """Text SQL with at least one `:name`; `types` gives the type in Postgres of each.

    `without`: what else the planner is to avoid, as its `enable_...` settings name it.
    """
    places = {value: f"${number}" for number, value in enumerate(types, start=1)}
    body = _NAME.sub(lambda found: places[found[1]], sql)
    arguments = ", ".join(f"%({value})s" for value in types)
    chosen = _STEADY | {f"enable_{way}": "off" for way in without}
    planner = "".join(f"SET LOCAL {name} = {value}; " for name, value in chosen.items())
    return Prepared(
        name=name,
        definition=f"PREPARE {name} ({', '.join(types.values())}) AS {body}",
        call=f"{planner}EXECUTE {name} ({arguments})",
    )


class Direct:
    """Runs prepared statements on an engine's pool. What has returned is committed."""

    def __init__(self, engine: Engine, slow_query_s: float = 0.0) -> None:
        self._engine = engine
        self._slow_query_s = slow_query_s  # longer ones are logged; 0: none

    def rows(self, statement: Prepared, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """What the statement returns; raises SQLAlchemy's DBAPIErrors, as a session does."""
        return self._run(statement, values)[1]

    def mappings(self, statement: Prepared, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The same by column names."""
        names, rows = self._run(statement, values)
        return [dict(zip(names, row, strict=True)) for row in rows]

    @contextmanager
    def alone(self, name: str) -> Iterator[bool]:
        """Whether nobody else is within a block of that name, which then is ours.

        The lock is a session's, in no transaction, so the block may take its time; it is held on a
        connection that leaves the pool for it, and ends with that, as it would with the process.
        """
        with self._engine.connect() as pooled:
            connection = pooled.execution_options(isolation_level="AUTOCOMMIT")
            is_ours = bool(connection.scalar(_TRY_LOCK, {"name": name}))
            if is_ours:
                connection.detach()
                yield True
        if not is_ours:
            yield False

    def within(
        self, session: Session, statement: Prepared, values: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """The same in a session's transaction, whose later statements are planned alike."""
        lent = session.connection().connection
        try:
            with timed(statement.definition, self._slow_query_s):
                names, rows = _called(lent, statement, values)
        except psycopg2.Error as exc:
            raise self._error(exc, lent, statement) from exc
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _run(self, statement: Prepared, values: Mapping[str, Any]) -> Table:
        lent = self._lend(statement)
        try:
            with timed(statement.definition, self._slow_query_s):
                return _rows(lent, statement, values)
        except psycopg2.Error as exc:
            raise self._error(exc, lent, statement) from exc
        finally:
            lent.close()

    def _lend(self, statement: Prepared) -> PoolProxiedConnection:
        """Unlike `Engine.connect` the pool lets the driver's own errors through."""
        try:
            return self._engine.raw_connection()
        except psycopg2.Error as exc:
            raise self._error(exc, None, statement) from exc

    def _error(
        self, exc: psycopg2.Error, lent: PoolProxiedConnection | None, statement: Prepared
    ) -> BaseException:
        """The same in SQLAlchemy's words; a broken connection leaves the pool."""
        forget_values(exc)
        dialect = self._engine.dialect
        is_gone = dialect.is_disconnect(exc, lent, None)  # type: ignore[arg-type]  # psycopg2.Error is DBAPI's
        if lent and is_gone:
            lent.invalidate(exc)
        return DBAPIError.instance(
            statement.call,
            None,
            exc,
            psycopg2.Error,
            connection_invalidated=is_gone,
            dialect=dialect,
        )


def _rows(lent: PoolProxiedConnection, statement: Prepared, values: Mapping[str, Any]) -> Table:
    connection: Connection = lent.dbapi_connection  # type: ignore[assignment]  # the driver is psycopg2
    connection.autocommit = True  # told to libpq's wrapper alone: no round trip
    try:
        return _called(lent, statement, values)
    finally:
        if not connection.closed:
            connection.autocommit = False


def _called(lent: PoolProxiedConnection, statement: Prepared, values: Mapping[str, Any]) -> Table:
    connection: Connection = lent.dbapi_connection  # type: ignore[assignment]  # the driver is psycopg2
    with connection.cursor() as cursor:
        if statement.name not in lent.info:
            cursor.execute(statement.definition)
            lent.info[statement.name] = True
        cursor.execute(statement.call, values)
        return [column.name for column in cursor.description or ()], cursor.fetchall()
