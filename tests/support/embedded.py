"""Real Postgres and Valkey servers for tests, started from the same wheels as `stellwerk up`."""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
from psycopg2 import sql

from stellwerk.stack.home import Home
from stellwerk.stack.ports import free_port
from stellwerk.stack.postgres import database_url, make_cluster, make_database, postgres_program
from stellwerk.stack.postgres_place import find_place, remove_data
from stellwerk.stack.process import Child, Program
from stellwerk.stack.valkey import redis_answers, redis_url, valkey_program

UP_WITHIN_S = 120.0
PATIENCE_S = 60.0  # a limit, not a wait: another process may stand still for seconds
POLL_S = 0.02  # and a tenth of what was waited, up to:
POLL_LONG_S = 0.1  # asking a stack takes more of the machine than what is waited for
# Tests throw their data away; nothing else about the server differs from the platform's.
QUICK = {"fsync": "off", "full_page_writes": "off"}


@contextmanager
def running_postgres(folder: Path, **settings: str) -> Iterator[str]:
    """A server with its data in or beside `folder`, removed at the end; gives its URL."""
    home = Home(folder.absolute())
    home.prepare()
    password, port = secrets.token_urlsafe(16), free_port()
    place = find_place(home)
    make_cluster(place, password)
    url = database_url(port, password)
    try:
        program = postgres_program(place, port, QUICK | settings)
        with _running(program, home, lambda: make_database(url)):
            yield url
    finally:
        remove_data(home)


@contextmanager
def running_valkey(folder: Path) -> Iterator[str]:
    """A server with its data in `folder`; gives its URL."""
    home = Home(folder.absolute())
    home.prepare()
    password, port = secrets.token_urlsafe(16), free_port()
    url = redis_url(port, password)
    program = valkey_program(home.path / "valkey", port, password)
    with _running(program, home, lambda: redis_answers(url)):
        yield url


@contextmanager
def fresh_database(server_url: str) -> Iterator[str]:
    """An empty database of its own on a running server, dropped at the end; gives its URL."""
    name = f"test_{secrets.token_hex(6)}"
    _administer(server_url, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield f"{server_url.rpartition('/')[0]}/{name}"
    finally:
        drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
        _administer(server_url, drop)


def wait_until(condition: Callable[[], object], *, timeout_s: float = PATIENCE_S) -> None:
    """Poll until the condition holds; fails the test when it never does."""
    began = time.monotonic()
    while not condition():
        waited_s = time.monotonic() - began
        assert waited_s < timeout_s, f"not so after {timeout_s:g} s"
        time.sleep(min(max(POLL_S, waited_s / 10), POLL_LONG_S))


@contextmanager
def _running(program: Program, home: Home, answers: Callable[[], bool]) -> Iterator[None]:
    child = Child(program, run=f"test-{secrets.token_hex(6)}", log=home.logs / "server.log")
    child.start()
    try:
        wait_until(lambda: answers() or child.ended(), timeout_s=UP_WITHIN_S)
        assert child.pid, child.log.read_text()
        yield
    finally:
        child.ask_to_end()
        wait_until(lambda: child.ended() or not child.pid, timeout_s=UP_WITHIN_S)


def _administer(server_url: str, statement: sql.Composed) -> None:
    with closing(psycopg2.connect(server_url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
