"""`stellwerk keys rotate`: another key signs access tokens; needs the database, not the API."""

from datetime import UTC, datetime

import click

from stellwerk.cli.output import emit_json, json_option, say
from stellwerk.clock import rfc3339
from stellwerk.settings import load_settings
from stellwerk.stack.plan import joined_settings


@click.command()
@json_option
def rotate(*, as_json: bool) -> None:
    """Make a new key for access tokens; nobody is signed out.

    Every process signs with it within seconds, and takes the former keys until the tokens that
    they signed have ended. Sealed by STELLWERK_ENCRYPTION_KEY it is kept in the database;
    JWT_SECRET_KEY stays the first and is not to be changed.
    """
    # Heavy, and only needed here:
    from stellwerk.db.engine import build_engine, build_sessions  # noqa: PLC0415  see above
    from stellwerk.identity import signing_keys  # noqa: PLC0415  see above
    from stellwerk.vault import Vault  # noqa: PLC0415  see above

    needs = ("database_url", "encryption_key", "jwt_secret_key")
    settings = joined_settings(load_settings(), needs=needs)
    engine = build_engine(settings.database(), pool_size=1, role="cli")
    try:
        vault = Vault(settings.encryption_keys())
        with build_sessions(engine, vault).begin() as session:
            made = signing_keys.rotate(session, settings, vault)
    finally:
        engine.dispose()
    shown = [{"kid": key.kid, "good_until": _moment(key.until)} for key in made]
    if as_json:
        emit_json(shown)
        return
    for key in shown[:-1]:
        say(f"{key['kid']}: good until {key['good_until']}")
    say(f"{shown[-1]['kid']}: signs from now on")


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else rfc3339(datetime.fromtimestamp(seconds, UTC))
