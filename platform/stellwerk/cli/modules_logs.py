"""`stellwerk modules logs`: what an instance wrote."""

import time
from collections.abc import Iterator
from typing import Any

import click

from stellwerk.cli.api import Api, connect
from stellwerk.cli.modules_naming import instance_argument, instance_path, module_argument
from stellwerk.cli.output import emit_json, json_option
from stellwerk.errors import ApiUnreachable

POLL_S = 1.0
PAGE = 1000
UNREACHABLE_LIMIT_S = 120.0  # a platform that is being restarted is waited for


@click.command()
@module_argument
@instance_argument
@click.option("--tail", type=click.IntRange(1, PAGE), default=100, show_default=True)
@click.option("--follow", "is_following", is_flag=True, help="Go on until Ctrl-C.")
@json_option
def logs(
    module: str, instance: str | None, *, tail: int, is_following: bool, as_json: bool
) -> None:
    """Show the last lines that an instance wrote; with --json each is a line of JSON."""
    with connect() as api:
        path = f"{instance_path(api, module, instance)}/logs"
        page = api.get(path, tail=tail)
        _print(page["lines"], as_json=as_json)
        if is_following:
            for lines in _following(api, path, page["cursor"]):
                _print(lines, as_json=as_json)


def _following(api: Api, path: str, cursor: str) -> Iterator[list[str]]:
    answered_at = time.monotonic()
    while True:
        page: dict[str, Any] = {"lines": [], "cursor": cursor}
        try:
            page = api.get(path, tail=PAGE, cursor=cursor)
            answered_at = time.monotonic()
        except ApiUnreachable:
            if time.monotonic() - answered_at > UNREACHABLE_LIMIT_S:
                raise
        cursor = page["cursor"]
        yield page["lines"]
        if len(page["lines"]) < PAGE:
            time.sleep(POLL_S)


def _print(lines: list[str], *, as_json: bool) -> None:
    for line in lines:
        if as_json:
            emit_json({"line": line})
        else:
            click.echo(shown(line))


def shown(line: str) -> str:
    """With what a terminal would obey written out: a module is not to move its cursor."""
    return "".join(
        one if one.isprintable() or one == "\t" else one.encode("unicode_escape").decode()
        for one in line
    )
