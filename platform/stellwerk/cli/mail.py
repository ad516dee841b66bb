"""`stellwerk mail`: what was sent while no mail server is set; needs the home, not the API."""

import click

from stellwerk.cli.output import emit_json, emit_table, json_option
from stellwerk.settings import load_settings

COLUMNS = ("key", "at", "to", "subject")
SHOWN = ("from", "to", "subject", "at", "message_id")


@click.group()
def mail() -> None:
    """Read the mails that are kept in this home."""


@mail.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """List them, newest first."""
    # Heavy, and only needed here:
    from stellwerk.providers.mail.kept import kept_mails  # noqa: PLC0415  see above

    rows = [one.summary() for one in kept_mails(load_settings().mails_path)]
    if as_json:
        emit_json(rows)
    else:
        emit_table(rows, COLUMNS)


@mail.command()
@click.argument("key", default="")
@json_option
def show(key: str, *, as_json: bool) -> None:
    """Show the newest, or the one whose KEY starts so."""
    from stellwerk.providers.mail.kept import kept_mail  # noqa: PLC0415  as above

    found = kept_mail(load_settings().mails_path, key).whole()
    if as_json:
        emit_json(found)
        return
    for name in SHOWN:
        click.echo(f"{name}: {found[name]}")
    click.echo(f"\n{found['text']}")
