"""`stellwerk artifacts`: what a job made."""

from pathlib import Path
from typing import Any

import click

from stellwerk.cli.api import connect
from stellwerk.cli.downloads import download
from stellwerk.cli.job_actions import job_argument
from stellwerk.cli.output import emit_json, emit_table, json_option, say
from stellwerk.errors import NotFound

COLUMNS = ("name", "content_type", "size_bytes", "sha256")


@click.command()
@job_argument
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option(
    "--download",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    is_flag=False,
    flag_value=".",
    metavar="[FOLDER]",
    help="Save them there, else here; what is there in part is continued.",
)
@json_option
def artifacts(job_id: str, names: tuple[str, ...], folder: Path | None, *, as_json: bool) -> None:
    """List what a job made, or download it: everything, or the NAMEs given."""
    with connect() as api:
        found = _chosen(api.get(f"/jobs/{job_id}")["artifacts"], names)
        if folder:
            for item in found:
                item["path"] = str(download(api, item, folder))
                say(f"{item['path']}  {item['size_bytes']} bytes, SHA-256 as announced")
    if as_json:
        emit_json(found)
    elif not folder:
        emit_table(found, COLUMNS)


def _chosen(items: list[dict[str, Any]], names: tuple[str, ...]) -> list[dict[str, Any]]:
    missing = set(names) - {item["name"] for item in items}
    if missing:
        raise NotFound(f"The job has no artifact {', '.join(sorted(missing))}.")
    return [item for item in items if not names or item["name"] in names]
