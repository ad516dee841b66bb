"""Which platform the client talks to, and as whom: the environment, else what `login` kept."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import click

from stellwerk.cli.client_settings import ClientSettings
from stellwerk.errors import ConfigurationError
from stellwerk.settings import load_settings
from stellwerk.stack.home import Home
from stellwerk.stack.report import read_report

DEFAULT_URL = "http://127.0.0.1:8000"
API_PATH = "/api/v1"


@dataclass(frozen=True, slots=True)
class Account:
    """`url` is the platform's root, without the API's path; an empty token: nobody.

    With a refresh token the token is renewed when its time is over.
    """

    url: str
    token: str = ""
    email: str = ""
    refresh_token: str = ""

    def signed_in(self, answer: Mapping[str, Any]) -> "Account":
        """The same with the tokens that the API answered with."""
        return replace(self, token=answer["access_token"], refresh_token=answer["refresh_token"])


def current_account() -> Account:
    """Whom the next request is from.

    A kept token is only ever sent to the URL it was kept for. Raises ConfigurationError where
    the kept file is damaged.
    """
    given = ClientSettings()
    kept = kept_account()
    url = _root(given.url) or (kept.url if kept else "") or running_url() or DEFAULT_URL
    token = given.token.get_secret_value()
    if token:
        return Account(url, token)
    return kept if kept and kept.url == url else Account(url)


def chosen_url(option: str | None) -> str:
    """Where to sign in: the option, the environment, or the platform that runs here."""
    return _root(option or "") or _root(ClientSettings().url) or running_url() or DEFAULT_URL


def running_url() -> str:
    """The URL of the platform running on this home; empty where none is."""
    report = read_report(Home(load_settings().home.absolute())) or {}
    return _root(str(report.get("urls", {}).get("api", "")))


def keep(account: Account) -> Path:
    """Write the account to a file that only its owner can read."""
    path = _path()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        json.dump(asdict(account), file)
    fresh.replace(path)
    return path


def forget() -> None:
    """Remove what `keep` wrote."""
    _path().unlink(missing_ok=True)


def kept_account() -> Account | None:
    """What `keep` wrote; raises ConfigurationError where that is damaged."""
    path = _path()
    try:
        return Account(**json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as exc:
        message = f"{path} cannot be read: {exc}. Remove it and run `stellwerk login`."
        raise ConfigurationError(message) from exc


@contextmanager
def alone() -> Iterator[None]:
    """Nobody else of this machine renews the kept account meanwhile."""
    path = _path()
    with path.with_name(f".{path.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _path() -> Path:
    given = ClientSettings().config
    return given or Path(click.get_app_dir("stellwerk")) / "account.json"


def _root(url: str) -> str:
    return url.rstrip("/").removesuffix(API_PATH)
