"""`stellwerk keys`: what the platform signs and seals with."""

import click

from stellwerk.cli.sealing_keys import rotate_data, status
from stellwerk.cli.signing_keys import rotate


@click.group()
def keys() -> None:
    """Look after the keys that the platform signs and seals with."""


keys.add_command(rotate)
keys.add_command(status)
keys.add_command(rotate_data)
