"""One line of migrations, and it gives just the tables that the code declares."""

from alembic import command
from alembic.script import ScriptDirectory

from embedded import fresh_database
from stellwerk.db.migrate import alembic_config, upgrade
from stellwerk.settings import load_settings


def test_there_is_one_head() -> None:
    assert len(ScriptDirectory.from_config(alembic_config("")).get_heads()) == 1


def test_migrations_and_models_agree(database_url: str) -> None:
    command.check(alembic_config(load_settings(database_url=database_url).database()))


def test_migrations_go_up_down_and_up_again(postgres_server: str) -> None:
    with fresh_database(postgres_server) as url:
        database = load_settings(database_url=url).database()
        upgrade(database)
        command.downgrade(alembic_config(database), "base")
        upgrade(database)
        command.check(alembic_config(database))
