"""`stellwerk audit`: `list` asks the API; `verify` and `head` need the database, not the API."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from stellwerk.audit.actions import Action
from stellwerk.cli.api import connect
from stellwerk.cli.output import emit_json, emit_table, json_option, say
from stellwerk.settings import load_settings
from stellwerk.stack.plan import joined_settings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from stellwerk.vault import Vault

FINDINGS_MAX = 100
COLUMNS = ("sequence", "at", "action", "actor", "subject", "target", "origin", "details")


@click.group()
def audit() -> None:
    """Read the record, and prove that it is whole."""


@audit.command("list")
@click.option("--action", type=click.Choice([action.value for action in Action]))
@click.option("--actor", type=int, help="Id of the user who acted.")
@click.option("--subject", type=int, help="Id of the user whom it is about.")
@click.option("--target", help="Such as queue:media.")
@click.option("--from", "since", help="A point in time, such as 2026-01-31T12:00:00Z.")
@click.option("--to", "until", help="A point in time.")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True)
@json_option
def browse(*, as_json: bool, since: str | None, until: str | None, **query: Any) -> None:
    """List what is on record, newest first; for administrators."""
    wanted = {**query, "from": since, "to": until}
    with connect() as api:
        found = api.get("/audit", **{name: value for name, value in wanted.items() if value})
    if as_json:
        emit_json(found["items"])
    else:
        emit_table([_row(entry) for entry in found["items"]], COLUMNS)


@audit.command()
@click.option("--from", "first", type=click.IntRange(1), default=1, help="Number of an entry.")
@click.option("--to", "last", type=click.IntRange(1), help="Number of an entry; default: the last.")
@click.option("--head", "noted", help="What `stellwerk audit head` printed some time ago.")
@json_option
@click.pass_context
def verify(
    ctx: click.Context, first: int, last: int | None, noted: str | None, *, as_json: bool
) -> None:
    """Find entries that were changed, removed, moved or cut off; exits with 1 where there are any.

    Whoever can write to the database, and has kept an old copy of the head, can put both back:
    only a head that was noted elsewhere shows that.
    """
    from stellwerk.audit.verification import Span, findings  # noqa: PLC0415  heavy

    span = Span(first, last, _noted(noted) if noted else None)
    with _database() as (session, vault):
        found = list(islice(findings(session, vault, span), FINDINGS_MAX))
    if as_json:
        emit_json([{"sequence": one.sequence, "problem": one.problem} for one in found])
    for one in () if as_json else found:
        click.echo(f"entry {one.sequence} {one.problem}" if one.sequence else one.problem)
    say("The record is whole." if not found else "The record is not whole.")
    ctx.exit(1 if found else 0)


@audit.command()
@json_option
def head(*, as_json: bool) -> None:
    """Print where the chain ends, to be noted elsewhere: the number and hash of its last entry."""
    from stellwerk.audit.chain import GENESIS, Head  # noqa: PLC0415  heavy
    from stellwerk.audit.verification import present_head  # noqa: PLC0415  heavy

    with _database() as (session, _):
        found = present_head(session) or Head(0, GENESIS, "")
    if as_json:
        emit_json({"sequence": found.sequence, "hash": found.hash})
    else:
        click.echo(str(found))


@contextmanager
def _database() -> Iterator[tuple["Session", "Vault"]]:
    from stellwerk.db.engine import build_engine, build_sessions  # noqa: PLC0415  heavy
    from stellwerk.vault import Vault  # noqa: PLC0415  heavy

    settings = joined_settings(load_settings(), needs=("database_url",))
    vault = Vault(settings.encryption_keys())
    engine = build_engine(settings.database(), pool_size=1, role="cli")
    try:
        with build_sessions(engine, vault)() as session:
            yield session, vault
    finally:
        engine.dispose()


def _noted(text: str) -> tuple[int, str]:
    number, _, entry_hash = text.strip().partition(":")
    if not number.isdecimal() or not entry_hash:
        raise click.BadParameter("Give it as it was printed: NUMBER:HASH.", param_hint="--head")
    return int(number), entry_hash


def _row(entry: dict[str, Any]) -> dict[str, Any]:
    shown = {
        who: entry[f"{who}_user_id"] or ("erased" if entry[who] else None)
        for who in ("actor", "subject")
    }
    shown["actor"] = shown["actor"] or entry["actor_kind"]
    texts = {
        what: ", ".join(f"{name}={value}" for name, value in (entry[what] or {}).items())
        for what in ("origin", "details")
    }
    return {**entry, **shown, **texts}
