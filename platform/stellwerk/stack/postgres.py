"""The embedded Postgres of one home: made once, then a supervised process like any other."""

import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from types import MappingProxyType

import psycopg2

from stellwerk.errors import StackError
from stellwerk.settings import environment
from stellwerk.stack.masking import masked
from stellwerk.stack.postgres_place import Place
from stellwerk.stack.process import Program

USER = DATABASE = "stellwerk"
MAX_CONNECTIONS = 200
BUILTIN_LOCALES_SINCE = 17
CONNECT_S = 2
LONGEST_SOCKET_FOLDER = 80  # bytes; the kernel's limit is 107 with the socket's name
LOCALE = ("--encoding=UTF8", "--locale=C.UTF-8")
# C.UTF-8 built into Postgres: there on every system, and the same after the system's update.
BUILTIN_LOCALE = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin")
BUILTIN_NAME = "--builtin-locale=C.UTF-8"

SERVER_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": str(MAX_CONNECTIONS),
    "password_encryption": "scram-sha-256",
    "timezone": "GMT",  # UTC by the one name Postgres knows on systems without tzdata
    "log_timezone": "GMT",
    "log_min_error_statement": "panic",  # statements hold what users typed
    "log_min_messages": "log",  # so do errors, which the processes log without it
    "log_checkpoints": "off",
    "jit": "off",  # our queries are short: compiling them costs more than it saves
    "max_wal_size": "512MB",
}


def database_url(port: int, password: str) -> str:
    """URL of the embedded database."""
    return f"postgresql://{USER}:{password}@127.0.0.1:{port}/{DATABASE}"


def make_cluster(place: Place, password: str) -> None:
    """Run initdb where there is no cluster yet; half-made ones are thrown away.

    Raises StackError where initdb fails, or the data is of another major version.
    """
    if place.data.exists():
        _require_same_major(place)
        return
    fresh = place.folder / "data.new"
    password_file = place.folder / "password"
    _remove(place, fresh)
    try:
        password_file.write_text(password)
        password_file.chmod(0o600)
        if place.account:
            place.account.own(password_file)
        _initdb(place, fresh, password_file)
    finally:
        password_file.unlink(missing_ok=True)
    fresh.rename(place.data)


def postgres_program(
    place: Place, port: int, overrides: Mapping[str, str] = MappingProxyType({})
) -> Program:
    """The server, in the foreground; SIGINT is its fast shutdown."""
    folder = str(place.folder)
    sockets = folder if len(folder.encode()) <= LONGEST_SOCKET_FOLDER else ""
    settings = {**SERVER_SETTINGS, "port": str(port), "unix_socket_directories": sockets}
    settings.update(overrides)
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return Program(
        name="postgres",
        role="postgres",
        argv=(place.programs.path("postgres"), "-D", str(place.data), *options),
        env=_clean_environment(),
        account=place.account,
        folder=Path("/"),
        stop_signal=signal.SIGINT,
    )


def postgres_answers(url: str) -> bool:
    """Whether the server takes connections to this URL's database.

    Raises StackError where it refuses the password: waiting would not help.
    """
    try:
        try_postgres(url)
    except psycopg2.OperationalError as exc:
        if "password authentication failed" in str(exc):
            raise StackError(f"Postgres refuses the password of {masked(url)}.") from exc
        return False
    return True


def try_postgres(url: str) -> None:
    """Connect once, for 2 s at most; raises psycopg2's errors."""
    psycopg2.connect(_plain(url), connect_timeout=CONNECT_S).close()


def make_database(url: str) -> bool:
    """Make the embedded server's database where it is missing; False while it does not answer."""
    maintenance = f"{url.rpartition('/')[0]}/postgres"
    if not postgres_answers(maintenance):
        return False
    with closing(psycopg2.connect(maintenance, connect_timeout=CONNECT_S)) as connection:
        connection.autocommit = True  # CREATE DATABASE stands outside transactions
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
            if cursor.fetchone() is None:
                cursor.execute(f"CREATE DATABASE {DATABASE}")
    return True


def _plain(url: str) -> str:
    """Without SQLAlchemy's driver name, which libpq does not know."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme.partition('+')[0]}{separator}{rest}"


def _initdb(place: Place, data: Path, password_file: Path) -> None:
    builtin = place.programs.major >= BUILTIN_LOCALES_SINCE
    argv = (
        place.programs.path("initdb"),
        f"--pgdata={data}",
        f"--username={USER}",
        f"--pwfile={password_file}",
        "--auth=scram-sha-256",
        "--no-instructions",
        *((*BUILTIN_LOCALE, BUILTIN_NAME) if builtin else LOCALE),
    )
    answer = _run(place, *argv)
    if answer.returncode:
        _remove(place, data)
        raise StackError(f"The database cannot be made: {answer.stderr.strip()[-1000:]}")


def _remove(place: Place, folder: Path) -> None:
    if folder.exists():
        _run(place, "/bin/rm", "-rf", str(folder))


def _run(place: Place, *argv: str) -> subprocess.CompletedProcess[str]:
    if place.account:
        return place.account.run(*argv, environment=_clean_environment())
    return subprocess.run(  # noqa: S603  initdb and rm, with paths of our own
        argv, env=_clean_environment(), capture_output=True, text=True, check=False
    )


def _require_same_major(place: Place) -> None:
    found = int((place.data / "PG_VERSION").read_text())
    if found != place.programs.major:
        message = (
            f"The data in {place.data} is of Postgres {found}, installed is "
            f"{place.programs.version}. Dump it with the old version and restore it with the new."
        )
        raise StackError(message)


def _clean_environment() -> dict[str, str]:
    """Without PG* variables, which would be taken as defaults, and in plain English."""
    kept = {name: value for name, value in environment().items() if not name.startswith("PG")}
    return {**kept, "LC_ALL": "C", "PATH": kept.get("PATH", os.defpath)}
