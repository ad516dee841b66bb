"""`stellwerk keys status|rotate-data`: what the database is sealed with, and a new key for it."""

import time
from collections import Counter

import click

from stellwerk.audit.actions import Action
from stellwerk.cli.output import emit_json, emit_table, json_option, say
from stellwerk.cli.records import put_on_record
from stellwerk.settings import Settings, load_settings
from stellwerk.stack.plan import joined_settings

TELL_EVERY_S = 1.0


@click.command()
@json_option
def status(*, as_json: bool) -> None:
    """Show how many values are sealed with which key of STELLWERK_ENCRYPTION_KEY.

    An older key can be removed once nothing is sealed with it, and a day after a newer one came
    first: repeated requests (Idempotency-Key) are known by it until then.
    """
    from stellwerk.cli.databases import opened  # noqa: PLC0415  heavy, and only needed here
    from stellwerk.db.holdings import counted  # noqa: PLC0415  the same

    with opened(_settings()) as here, here.sessions() as session:
        found, vault = counted(session, here.vault, here.holdings), here.vault
    rows = [
        {"holding": name, "key": key, "state": _state(key, vault.keys), "values": count}
        for name, counts in found.items()
        for key, count in sorted(counts.items())
    ]
    if as_json:
        emit_json({"keys": list(vault.keys), "held": rows})
        return
    say(f"Present key: {vault.present_key}")
    emit_table(rows, ("holding", "key", "state", "values"))


@click.command("rotate-data")
@click.option("--batch", type=click.IntRange(1, 10_000), default=200, show_default=True)
@click.option("--pause-ms", type=click.IntRange(0), default=50, show_default=True)
@json_option
def rotate_data(*, batch: int, pause_ms: int, as_json: bool) -> None:
    """Seal everything anew with the first key, while the platform runs.

    It can be ended at any time, and goes on where it was when it is run again.
    """
    from stellwerk.cli.databases import opened  # noqa: PLC0415  heavy, and only needed here
    from stellwerk.db.rotation import Rotation  # noqa: PLC0415  the same

    moved: Counter[str] = Counter()
    told_at = time.monotonic()
    settings = _settings()
    with opened(settings) as here:
        found = (here.engine, here.sessions, here.vault, here.holdings)
        rotation = Rotation(*found, batch=batch, pause_s=pause_ms / 1000)
        for progress in rotation.run():
            moved[progress.name] = progress.moved
            if progress.is_done or time.monotonic() - told_at > TELL_EVERY_S:
                told_at = time.monotonic()
                say(f"{progress.name}: {progress.moved} moved{', done' * progress.is_done}")
    present = here.vault.present_key
    put_on_record(settings, Action.DATA_KEYS_ROTATED, f"data_key:{present}", dict(moved))
    if as_json:
        emit_json({"key": present, "moved": dict(moved)})
    else:
        say(f"Everything is sealed with {present}; {moved.total()} values were moved.")


def _settings() -> Settings:
    return joined_settings(load_settings(), needs=("database_url", "encryption_key"))


def _state(key: str, known: tuple[str, ...]) -> str:
    if key not in known:
        return "MISSING"
    return "present" if key == known[0] else "older"
