"""`stellwerk db`: the schema."""

import click

from stellwerk.settings import load_settings
from stellwerk.stack.plan import joined_settings


@click.group()
def db() -> None:
    """Look after the database."""


@db.command()
def upgrade() -> None:
    """Bring the schema to the newest revision; `stellwerk up` does so by itself."""
    from stellwerk.db import migrate  # noqa: PLC0415  heavy, and only needed here

    url = joined_settings(load_settings(), needs=("database_url",)).database()
    migrate.upgrade(url)
    click.echo(f"The schema is at {migrate.current(url)}.")
