"""`stellwerk users`: accounts, for administrators."""

from typing import Any

import click

from stellwerk.cli.api import Api, connect
from stellwerk.cli.output import emit_json, emit_table, json_option, say
from stellwerk.errors import ApiRefused

PAGE = 200
ROLES = ("user", "operator", "admin")
TIERS = ("free", "pro", "enterprise")
COLUMNS = ("id", "email", "role", "subscription_tier", "is_active", "email_verified_at")

user_argument = click.argument("user", metavar="USER")


@click.group()
def users() -> None:
    """List and change accounts; USER is an id or an e-mail address."""


@users.command("list")
@click.option("--email", help="The whole address.")
@click.option("--role", type=click.Choice(ROLES))
@click.option("--tier", type=click.Choice(TIERS))
@click.option("--active/--disabled", "is_active", default=None)
@json_option
def browse(*, as_json: bool, **filters: Any) -> None:
    """List accounts, newest first."""
    found: list[dict[str, Any]] = []
    cursor = None
    with connect() as api:
        while True:
            page = api.get("/users/", limit=PAGE, cursor=cursor, **filters)
            found += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                break
    if as_json:
        emit_json(found)
    else:
        emit_table(found, COLUMNS)


@users.command()
@user_argument
def show(user: str) -> None:
    """Show all about an account, as JSON."""
    with connect() as api:
        emit_json(_found(api, user))


@users.command()
@user_argument
@json_option
def disable(user: str, *, as_json: bool) -> None:
    """Keep somebody out: sessions end, API keys are refused."""
    _change(user, as_json=as_json, is_active=False)


@users.command()
@user_argument
@json_option
def enable(user: str, *, as_json: bool) -> None:
    """Let somebody in again."""
    _change(user, as_json=as_json, is_active=True)


@users.command("set-role")
@user_argument
@click.argument("role", type=click.Choice(ROLES))
@json_option
def set_role(user: str, role: str, *, as_json: bool) -> None:
    """Give somebody another role; their sessions end."""
    _change(user, as_json=as_json, role=role)


def _change(user: str, *, as_json: bool, **fields: Any) -> None:
    with connect() as api:
        changed = api.patch(f"/users/{_found(api, user)['id']}", fields)
    if as_json:
        emit_json(changed)
    else:
        standing = "active" if changed["is_active"] else "disabled"
        say(f"{changed['email']}: {changed['role']}, {standing}.")


def _found(api: Api, user: str) -> dict[str, Any]:
    """The account; raises ApiRefused where there is none."""
    if user.isdecimal():
        found: dict[str, Any] = api.get(f"/users/{user}")
        return found
    items = api.get("/users/", email=user)["items"]
    if not items:
        raise ApiRefused(f"NOT_FOUND: There is no account of {user}.")
    return dict(items[0])
