"""`stellwerk admin`: accounts that no API call can make; needs the database, not the API."""

import click

from stellwerk.cli.client import read_password
from stellwerk.cli.output import emit_json, emit_table, json_option, say
from stellwerk.settings import load_settings
from stellwerk.stack.plan import joined_settings

COLUMNS = ("id", "email", "role", "is_active")


@click.group()
def admin() -> None:
    """Make and change administrators."""


@admin.command()
@click.option("--email", required=True)
@click.option("--password-stdin", "from_stdin", is_flag=True, help="Read the password from stdin.")
@click.option("--promote", is_flag=True, help="Make an admin of the account the address has.")
@json_option
def create(email: str, *, from_stdin: bool, promote: bool, as_json: bool) -> None:
    """Make an administrator, in the database of this home or of DATABASE_URL.

    With --promote the account gets the given password; its sessions, its API keys and the outside
    accounts that signed in to it end.
    """
    # Heavy, and only needed here:
    from stellwerk.connections.securing import end_ways_in  # noqa: PLC0415  see above
    from stellwerk.db.engine import build_engine, build_sessions  # noqa: PLC0415  see above
    from stellwerk.identity.service import create_admin  # noqa: PLC0415  see above
    from stellwerk.vault import Vault  # noqa: PLC0415  see above

    settings = joined_settings(load_settings(), needs=("database_url",))
    password = read_password(from_stdin=from_stdin)
    engine = build_engine(settings.database(), pool_size=1, role="cli")
    try:
        sessions = build_sessions(engine, Vault(settings.encryption_keys()))
        user_id = create_admin(sessions, email, password, promote=end_ways_in if promote else None)
    finally:
        engine.dispose()
    if as_json:
        emit_json({"id": user_id, "email": email})
    else:
        say(f"{email} is an administrator.")


@admin.command("list")
@json_option
def browse(*, as_json: bool) -> None:
    """List operators and administrators, and whether they may sign in; asks the database."""
    from stellwerk.cli.databases import opened  # noqa: PLC0415  heavy, and only needed here
    from stellwerk.identity.queries import staff  # noqa: PLC0415  the same

    settings = joined_settings(load_settings(), needs=("database_url", "encryption_key"))
    with opened(settings) as here, here.sessions() as session:
        rows = [{name: getattr(user, name) for name in COLUMNS} for user in staff(session)]
    if as_json:
        emit_json(rows)
    elif rows:
        emit_table(rows, COLUMNS)
    else:
        say("There is none yet: `stellwerk admin create --email you@example.com` makes one.")
