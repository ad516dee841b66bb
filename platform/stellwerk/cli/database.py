"""`stellwerk db`: the schema."""

import json

import click

from stellwerk.settings import load_settings
from stellwerk.stack.plan import joined_settings


@click.group()
def db() -> None:
    """Look after the database."""


@db.command()
@click.option("--json", "as_json", is_flag=True, help="The revision.")
def upgrade(*, as_json: bool) -> None:
    """Bring the schema to the newest revision; `stellwerk up` does so by itself."""
    from stellwerk.db import migrate  # noqa: PLC0415  heavy, and only needed here

    url = joined_settings(load_settings(), needs=("database_url",)).database()
    migrate.upgrade(url)
    revision = migrate.current(url)
    click.echo(json.dumps({"revision": revision}) if as_json else f"The schema is at {revision}.")
