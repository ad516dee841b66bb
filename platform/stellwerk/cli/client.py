"""`stellwerk login`, `logout` and `operations`."""

import sys
import warnings
from getpass import GetPassWarning
from typing import Any

import click

from stellwerk.cli.account import Account, chosen_url, current_account, forget, keep
from stellwerk.cli.api import Api, connect
from stellwerk.cli.completions import complete_operation
from stellwerk.cli.output import emit_json, emit_table, json_option, say
from stellwerk.errors import ApiError
from stellwerk.identity.permissions import Audience

COLUMNS = ("name", "summary", "queue", "permission")
NO_TERMINAL = "There is no terminal to ask on: use --email and --password-stdin."


@click.command()
@click.option("--url", help="Of the platform; default: STELLWERK_URL, or the one running here.")
@click.option("--email", help="Asked for where it is not given.")
@click.option("--password-stdin", "from_stdin", is_flag=True, help="Read the password from stdin.")
@click.option(
    "--audience",
    type=click.Choice([audience.value for audience in Audience]),
    default=Audience.API.value,
    show_default=True,
    help="telephony: may place calls; its tokens end sooner.",
)
@json_option
def login(
    url: str | None, email: str | None, *, from_stdin: bool, audience: str, as_json: bool
) -> None:
    """Sign in, and keep the tokens in a file that only you can read.

    They are renewed as long as the command is used once a week.
    """
    if not (email or from_stdin or sys.stdin.isatty()):
        raise click.UsageError(NO_TERMINAL)
    email = email or str(click.prompt("E-mail", err=True))
    password = read_password(from_stdin=from_stdin)
    account, answer = sign_in(chosen_url(url), email, password, audience=Audience(audience))
    path = keep(account)
    if as_json:
        emit_json({"url": account.url, "user": answer["user"], "expires_in": answer["expires_in"]})
    else:
        say(f"Signed in at {account.url} as {email}; the token is in {path}.")


@click.command()
@json_option
def logout(*, as_json: bool) -> None:
    """End the session, and forget the token."""
    account = current_account()
    has_ended = _end_session(account)
    forget()
    if as_json:
        emit_json({"url": account.url, "session_ended": has_ended})
    else:
        say("Signed out.")


@click.command()
@click.argument("name", required=False, shell_complete=complete_operation)
@json_option
def operations(name: str | None, *, as_json: bool) -> None:
    """List what can be submitted, or show all about the operation NAME."""
    with connect() as api:
        found = api.get(f"/operations/{name}" if name else "/operations")
    if name or as_json:
        emit_json(found if name else found["items"])
    else:
        emit_table(found["items"], COLUMNS)


def sign_in(
    url: str, email: str, password: str, *, audience: Audience = Audience.API
) -> tuple[Account, dict[str, Any]]:
    """A signed-in account, and what the API said about it; raises ApiError."""
    body = {"email": email, "password": password, "audience": audience.value}
    with Api(Account(url)) as api:
        answer = api.post("/auth/login", body)
    return Account(url, email=email).signed_in(answer), answer


def read_password(*, from_stdin: bool) -> str:
    """The first line of standard input, or what is typed at a prompt that shows nothing.

    Raises click.UsageError where there is no terminal that could hide it.
    """
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", GetPassWarning)
            return str(click.prompt("Password", hide_input=True, err=True))
    except GetPassWarning as exc:
        raise click.UsageError(NO_TERMINAL) from exc


def _end_session(account: Account) -> bool:
    """Whether there was a session and it has ended; says why it could not be ended."""
    if not account.token:
        return False
    try:
        with Api(account) as api:
            api.post("/auth/logout")
    except ApiError as exc:
        say(f"The session could not be ended: {exc.message}")
        return False
    return True
