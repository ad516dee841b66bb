"""A Postgres and a Redis of the operator's: reached within seconds, or named with the reason."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import psycopg2
import redis

from stellwerk.errors import ConfigurationError, StackError
from stellwerk.settings import Settings
from stellwerk.stack.postgres import try_postgres
from stellwerk.stack.stopping import Stop
from stellwerk.stack.valkey import try_redis

GIVEN_WITHIN_S = 5.0
PAUSE_S = 0.25
# It is the right server and will be ready soon; the wait for readiness is longer than ours.
STARTING = ("the database system is", "loading the dataset")
# Waiting does not help.
REFUSED = ("password authentication failed", "WRONGPASS", "invalid username-password", "NOAUTH")


@dataclass(frozen=True, slots=True)
class GivenServer:
    """A server that a setting names by its URL."""

    variable: str
    what: str
    url: str = field(repr=False)
    schemes: frozenset[str]
    default_port: int
    example: str
    connect: Callable[[str], None]

    def require_form(self) -> None:
        """Raise ConfigurationError where this is no URL of such a server."""
        try:
            parts = urlsplit(self.url)
            usable = parts.scheme.partition("+")[0] in self.schemes and parts.port != 0
        except ValueError:
            usable = False
        # Drivers disagree on a bare @, and may then show a part of the password as the host.
        if not usable or parts.netloc.count("@") > 1:
            raise ConfigurationError(self._form_sentence())

    def address(self) -> str:
        """Host and port, without what is secret."""
        parts = urlsplit(self.url)
        return f"{parts.hostname or 'localhost'}:{parts.port or self.default_port}"

    def failure(self) -> str:
        """Why it cannot be used, in the driver's words on one line; empty where it can."""
        try:
            self.connect(self.url)
        except (psycopg2.OperationalError, redis.RedisError) as exc:
            reason = " ".join(str(exc).split())
            return "" if any(sign in reason for sign in STARTING) else reason
        except (psycopg2.ProgrammingError, ValueError):
            # Not as the cause: the driver's message quotes the URL with its password.
            raise ConfigurationError(self._form_sentence()) from None
        return ""

    def _form_sentence(self) -> str:
        return (
            f"{self.variable} is not a URL of {self.what}, such as {self.example}. "
            "Write @, : and / in a password as %40, %3A and %2F."
        )


def given_servers(settings: Settings) -> Iterator[GivenServer]:
    """Those that `stellwerk up` does not start itself."""
    database_url = settings.database_url.get_secret_value()
    redis_url = settings.redis_url.get_secret_value()
    if database_url:
        yield GivenServer(
            variable="DATABASE_URL",
            what="Postgres",
            url=database_url,
            schemes=frozenset({"postgres", "postgresql"}),
            default_port=5432,
            example="postgresql://user:password@host:5432/name",
            connect=try_postgres,
        )
    if redis_url:
        yield GivenServer(
            variable="REDIS_URL",
            what="Redis",
            url=redis_url,
            schemes=frozenset({"redis", "rediss", "unix"}),
            default_port=6379,
            example="redis://:password@host:6379/0",
            connect=try_redis,
        )


def require_given(settings: Settings, stop: Stop) -> None:
    """Reach every given server within about 5 s; raises StackError naming the one that is not."""
    for server in given_servers(settings):
        deadline = time.monotonic() + GIVEN_WITHIN_S
        while not stop.requested and (reason := server.failure()):
            if time.monotonic() > deadline or any(sign in reason for sign in REFUSED):
                raise StackError(
                    f"{server.variable}: {server.what} at {server.address()} "
                    f"cannot be used: {reason}"
                )
            stop.wait(PAUSE_S)
