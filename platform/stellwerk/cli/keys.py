"""`stellwerk keys`: what the platform signs and seals with."""

import click

from stellwerk.cli.signing_keys import rotate


@click.group()
def keys() -> None:
    """Look after the keys that the platform signs with."""


keys.add_command(rotate)
