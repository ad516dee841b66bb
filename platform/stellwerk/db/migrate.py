"""Brings a database to the newest schema with the migrations that ship with the code."""

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from stellwerk.shipped import shipped


def alembic_config(url: str) -> Config:
    """Alembic's configuration for the shipped migrations and this database."""
    config = Config()
    config.set_main_option("script_location", str(shipped("migrations")))
    config.attributes["url"] = url
    return config


def upgrade(url: str, revision: str = "head") -> None:
    """Migrate up; processes that start at once wait for each other on an advisory lock."""
    command.upgrade(alembic_config(url), revision)


def head() -> str:
    """The newest revision this code knows."""
    revision = ScriptDirectory.from_config(alembic_config("")).get_current_head()
    return revision or ""


def current(url: str) -> str | None:
    """The revision a database is at; None where it was never migrated."""
    engine = create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": 2})
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()
