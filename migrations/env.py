"""Runs migrations on the URL handed over by `stellwerk.db.migrate`, or on the settings' one."""

from alembic import context
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from stellwerk.bootstrap import metadata
from stellwerk.settings import settings

MIGRATION_LOCK = 7_238_011  # advisory: processes that start at once migrate one after another

url = context.config.attributes.get("url") or settings().database()
engine = create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": 5})

with engine.connect() as connection:
    connection.execute(text("SET lock_timeout = '10s'"))
    connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": MIGRATION_LOCK})
    connection.commit()
    context.configure(connection=connection, target_metadata=metadata(), compare_type=True)
    with context.begin_transaction():
        context.run_migrations()
    connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": MIGRATION_LOCK})
    connection.commit()
