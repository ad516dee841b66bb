"""Runs migrations on the URL handed over by `stellwerk.db.migrate`, or on the settings' one.

A new migration also gets the statements that tables name in their `info`, such as triggers.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Literal

from alembic import context
from alembic.operations.ops import (
    CreateTableOp,
    DropTableOp,
    ExecuteSQLOp,
    MigrateOperation,
    MigrationScript,
)
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from stellwerk.bootstrap import metadata
from stellwerk.db.base import AFTER_CREATE, AFTER_DROP
from stellwerk.db.encrypted import Encrypted
from stellwerk.db.extensions import require_pgcrypto
from stellwerk.settings import settings

MIGRATION_LOCK = 7_238_011  # advisory: processes that start at once migrate one after another


def with_own_statements(_: Any, __: Any, scripts: Iterable[MigrationScript]) -> None:
    """Put what a table needs besides columns and indices behind its CREATE and its DROP."""
    for script in scripts:
        for found in (script.upgrade_ops, script.downgrade_ops):
            if found is not None:
                found.ops = [each for step in found.ops for each in _followed(step)]


def _followed(step: MigrateOperation) -> Iterator[MigrateOperation]:
    yield step
    if isinstance(step, CreateTableOp):
        yield from _statements(step.info.get(AFTER_CREATE, ()))
        step.info = {}  # else it would be written down once more
    elif isinstance(step, DropTableOp):
        yield from _statements(metadata().tables[step.table_name].info.get(AFTER_DROP, ()))


def _statements(texts: Iterable[str]) -> Iterator[MigrateOperation]:
    return (ExecuteSQLOp(statement) for statement in texts)


def as_stored(kind: str, what: Any, _: Any) -> str | Literal[False]:
    """Migrations name no class of ours: an encrypted column is bytes to them."""
    is_encrypted = kind == "type" and isinstance(what, Encrypted)
    return "sa.LargeBinary()" if is_encrypted else False


url = context.config.attributes.get("url") or settings().database()
engine = create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": 5})

with engine.connect() as connection:
    connection.execute(text("SET lock_timeout = '10s'"))
    connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": MIGRATION_LOCK})
    connection.commit()
    require_pgcrypto(connection)
    connection.commit()
    context.configure(
        connection=connection,
        target_metadata=metadata(),
        compare_type=True,
        render_item=as_stored,
        process_revision_directives=with_own_statements,
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": MIGRATION_LOCK})
    connection.commit()
