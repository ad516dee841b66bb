"""`stellwerk backup` and `restore`; they need the database and the artifact store, not the API."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stellwerk.audit.actions import Action
from stellwerk.cli.output import emit_json, json_option, say
from stellwerk.cli.records import put_on_record
from stellwerk.settings import Settings, load_settings
from stellwerk.stack.plan import joined_settings

if TYPE_CHECKING:
    from stellwerk.backup.archive import Manifest

MIB = 1024 * 1024


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--artifacts/--no-artifacts",
    "with_artifacts",
    default=None,
    help="With the files that jobs made; by default those of a local folder, not those of S3.",
)
@json_option
def backup(file: Path, *, with_artifacts: bool | None, as_json: bool) -> None:
    """Write the database and the artifacts of a platform, at work or not, into FILE.

    Keep secrets.json (or the keys in the environment) apart from it: without them nobody can read
    what is sealed.
    """
    from stellwerk.backup.saving import save  # noqa: PLC0415  heavy, and only needed here
    from stellwerk.providers.choice import artifact_storage  # noqa: PLC0415  the same

    settings = _settings()
    storage = artifact_storage(settings)
    manifest = save(settings, file, storage, with_artifacts=with_artifacts)
    _note(settings, Action.BACKUP_WRITTEN, manifest)
    size_bytes = file.stat().st_size
    if as_json:
        rest = {name: value for name, value in asdict(manifest).items() if name != "members"}
        told = {"file": str(file), "size_bytes": size_bytes, "rows": manifest.rows}
        emit_json({**told, **rest})
        return
    say(
        f"{manifest.rows} rows of {len(manifest.tables)} tables and {manifest.artifacts} files "
        f"in {file} ({size_bytes / MIB:.1f} MiB)."
    )
    for key in manifest.missing:
        say(f"warning: the artifact {key} was missing or damaged.")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace what is in a database that is in use.")
@json_option
def restore(file: Path, *, force: bool, as_json: bool) -> None:
    """Check FILE, then put it into the database and the artifact store: all of it or nothing.

    Jobs that ran when it was made go on as after a crash. Redis is emptied of what it knew.
    """
    from stellwerk.backup.restoring import restore as put_back  # noqa: PLC0415  heavy
    from stellwerk.providers.choice import artifact_storage  # noqa: PLC0415  the same

    settings = _settings()
    manifest = put_back(settings, file, artifact_storage(settings), force=force)
    is_cleared = _clear_redis(settings)
    _note(settings, Action.BACKUP_RESTORED, manifest)
    if as_json:
        emit_json({"rows": manifest.rows, "artifacts": manifest.artifacts, "redis": is_cleared})
        return
    say(f"{manifest.rows} rows and {manifest.artifacts} files of {manifest.made_at} are back.")
    if not manifest.has_artifacts:
        say("warning: it holds no files; the store has to have those that the rows name.")
    if not is_cleared:
        say("warning: Redis was not emptied; if it knows the former database, FLUSHALL it.")


def _settings() -> Settings:
    return joined_settings(load_settings(), needs=("database_url", "encryption_key"))


def _note(settings: Settings, action: Action, manifest: "Manifest") -> None:
    held = {"rows": manifest.rows, "artifacts": manifest.artifacts}
    put_on_record(settings, action, f"backup:{manifest.made_at}", held)


def _clear_redis(settings: Settings) -> bool:
    from stellwerk.gate import Gate  # noqa: PLC0415  with the next
    from stellwerk.live.clearing import clear  # noqa: PLC0415  heavy, and only needed here
    from stellwerk.live.client import LiveClient  # noqa: PLC0415  the same

    if not settings.redis_url.get_secret_value():
        return False
    gate = Gate(settings.redis_pause_s)
    client = LiveClient(settings.redis(), timeout_s=settings.redis_timeout_s, gate=gate)
    try:
        return clear(client)
    finally:
        client.close()
