"""Flower: `python -m stellwerk.stack.flower OPTION...` becomes it, with the settings' password."""

import os
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from os import pathsep

from stellwerk.choices import Mode
from stellwerk.errors import ConfigurationError
from stellwerk.settings import Settings, environment, settings
from stellwerk.stack.production import refuse_unfit

BASIC_AUTH = "FLOWER_BASIC_AUTH"
OTHER_LOGIN = "FLOWER_AUTH"  # OAuth: the addresses that are let in
WITHOUT_LOGIN = "FLOWER_UNAUTHENTICATED_API"
NO = {"", "0", "n", "no", "f", "false", "off"}  # as Flower reads it


def login_variables(given: Settings, known: Mapping[str, str]) -> dict[str, str]:
    """Who is let in, on top of the environment; raises ConfigurationError where anybody would be.

    In development a Flower without a password is left as open as Flower itself leaves it.
    """
    has_login = known.get(BASIC_AUTH) or known.get(OTHER_LOGIN)
    found = {} if has_login else _basic_auth(given)
    if given.mode is Mode.PRODUCTION:
        _refuse_open({**known, **found})
    return found


def _basic_auth(given: Settings) -> dict[str, str]:
    password = given.flower_password.get_secret_value()
    if not password:
        return {}
    if "," in given.flower_user + password or ":" in given.flower_user:
        message = (
            "STELLWERK_FLOWER_USER and STELLWERK_FLOWER_PASSWORD may hold no comma, and the user "
            "no colon: Flower would take what follows for another login."
        )
        raise ConfigurationError(message)
    return {BASIC_AUTH: f"{given.flower_user}:{password}"}


def _refuse_open(env: Mapping[str, str]) -> None:
    if not (env.get(BASIC_AUTH) or env.get(OTHER_LOGIN)):
        message = (
            "Production mode starts no Flower that anybody may look at: set "
            "STELLWERK_FLOWER_PASSWORD."
        )
        raise ConfigurationError(message)
    if env.get(WITHOUT_LOGIN, "").lower() not in NO:
        raise ConfigurationError(f"Production mode starts no Flower with {WITHOUT_LOGIN}.")


def main(options: Sequence[str]) -> None:
    """Give this process to Flower."""
    given = settings()
    refuse_unfit(given, serves=False)
    known = environment()
    env = {**known, **login_variables(given, known)}
    search = sysconfig.get_path("scripts") + pathsep + env.get("PATH", "")
    command = ["celery", "-q", "-A", "stellwerk.broker.flower", "flower", *options]
    os.execvpe("celery", command, {**env, "PATH": search})  # noqa: S606, S607  no shell; beside us


if __name__ == "__main__":
    main(sys.argv[1:])
