"""`stellwerk completion`: what a shell needs to complete our commands."""

import click
from click.shell_completion import get_completion_class

from stellwerk.cli.main import stellwerk

VARIABLE = "_STELLWERK_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of SHELL: eval "$(stellwerk completion bash)"."""
    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"{shell} is not supported")
    click.echo(found(stellwerk, {}, "stellwerk", VARIABLE).source())
