"""Secrets are planted everywhere in a running stack, and nothing that it writes down holds one.

Searched are the logs of all processes and of both servers, every file of the home, every key of
Redis, what Postgres remembers of statements, Flower's API, and the documents and logs of jobs.
"""

import io
import json
from contextlib import closing
from typing import Any

import psycopg2
import pytest
import redis
import requests

from command_line import CommandLine
from error_reports import content as envelope
from error_reports import events
from planted import Scene
from planting import MODULE, NUMBER, PAYLOAD, plain
from stellwerk.bootstrap import bootstrap
from stellwerk.providers.mail.protocol import Parcel
from stellwerk.settings import load_settings

pytestmark = [
    pytest.mark.xdist_group("stack"),
    pytest.mark.timeout(300),
]

LEGITIMATE = {"secrets.json"}  # of the home; its owner alone may read it
AS_JSON = {"outbound_allowed_networks", "retry_delays_s"}


def test_a_command_without_the_key_of_the_stack_is_refused(scene: Scene) -> None:
    given = {"STELLWERK_HOME": str(scene.run.home.path), "DATABASE_URL": scene.database_url}
    command = CommandLine(given, scene.run.home.path)
    mail = "late@example.com"
    ran = command.run("admin", "create", "--email", mail, "--password-stdin", typed="a long secret")
    assert ran.code == 1
    assert "give this command the same STELLWERK_ENCRYPTION_KEY" in ran.err


def test_the_scene_did_what_it_is_there_for(used: Scene) -> None:
    planted = used.planted.secrets["reset token in a mail"]
    assert sum(planted in plain(one) for one in used.mails.inbox) == 1
    for kind in ("token in mail ", "OAuth access token ", "OAuth refresh token "):
        assert any(name.startswith(kind) for name in used.planted.secrets), kind


def test_no_file_that_was_written_holds_a_secret(used: Scene) -> None:
    paths = [*used.run.home.path.rglob("*"), used.postgres_log]
    files = [path for path in paths if path.is_file() and path.name not in LEGITIMATE]
    assert {"web.log", "worker_short.log", "server.log"} <= {path.name for path in files}

    found = {path.name: used.planted.found_in(path.read_bytes()) for path in files}

    assert {name: secrets for name, secrets in found.items() if secrets} == {}
    assert used.planted.found_in(used.run.output.encode()) == []


def test_no_key_of_redis_holds_a_secret(used: Scene) -> None:
    secrets_of_home = json.loads(used.run.home.secrets_file.read_text())
    port = json.loads(used.run.home.ports_file.read_text())["valkey"]
    with closing(redis.Redis(port=port, password=secrets_of_home["redis_password"])) as connection:
        keys = list(connection.scan_iter())
        assert keys
        found = {key: used.planted.found_in(key + content(connection, key)) for key in keys}
    assert {key: secrets for key, secrets in found.items() if secrets} == {}


def content(connection: redis.Redis, key: bytes) -> bytes:
    """Whatever is stored there."""
    readers: dict[bytes, Any] = {
        b"string": lambda: connection.get(key),
        b"hash": lambda: connection.hgetall(key),
        b"list": lambda: connection.lrange(key, 0, -1),
        b"set": lambda: connection.smembers(key),
        b"zset": lambda: connection.zrange(key, 0, -1),
        b"stream": lambda: connection.xrange(key),
    }
    kind: Any = connection.type(key)
    return repr(readers[kind]() if kind in readers else b"").encode()


def test_no_statement_that_postgres_remembers_holds_a_secret(used: Scene) -> None:
    with closing(psycopg2.connect(used.database_url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
            cursor.execute("SELECT query FROM pg_stat_statements")
            statements = [row[0] for row in cursor.fetchall()]
    assert any("jobs" in statement for statement in statements)
    assert [one for one in statements if used.planted.found_in(one.encode())] == []


def test_no_table_and_no_session_of_postgres_shows_what_is_sealed(
    used: Scene,
) -> None:
    shown = io.BytesIO()
    with (
        closing(psycopg2.connect(used.database_url)) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = [row[0] for row in cursor.fetchall()]
        for table in tables:
            cursor.copy_expert(f'COPY "{table}" TO STDOUT', shown)
        cursor.copy_expert("COPY (SELECT * FROM pg_stat_activity) TO STDOUT", shown)
        cursor.execute("SELECT count(to_number), count(first_number) FROM calls")
        assert cursor.fetchone() == (2, 2)
    assert {"calls", "call_events", "jobs", "audit_entries"} <= set(tables)
    found = used.planted.found_in(shown.getvalue())
    assert [name for name in found if name.startswith((NUMBER, MODULE))] == []


def test_nothing_that_describes_itself_shows_a_secret(used: Scene) -> None:
    settings = load_settings(
        **{name: used.settings[name] for name in used.settings.keys() - {"database_url", *AS_JSON}},
        database_url="postgresql://ann:planted-database@127.0.0.1/x",
        redis_url="redis://:planted-redis@127.0.0.1:1/0",
    )
    platform = bootstrap(settings, role="tests")
    mailer: Any = platform.runtime.providers.mail
    parcel = Parcel("<1@example.com>", ("ada@example.com",), b"planted-in-a-mail")
    described = [settings, platform, platform.runtime, platform.runtime.vault, mailer]
    described += [mailer.server, platform.engine, platform.live_client, parcel, used.planted]
    platform.close()
    shown = "\n".join(f"{one!r} {one} {vars(one) if one is settings else ''}" for one in described)
    assert "planted-" not in shown


def test_flower_tells_no_secret(used: Scene) -> None:
    auth = ("operator", used.settings["flower_password"])
    for path in ("tasks?limit=10000", "workers"):
        answer = requests.get(f"{used.url}/flower/api/{path}", auth=auth, timeout=90)
        assert answer.status_code == 200
        assert used.planted.found_in(answer.content) == []


def test_no_report_of_an_error_tells_a_secret_or_a_payload(used: Scene) -> None:
    assert "worker" in {event["server_name"] for event in events(used.tracker)}
    for sent in used.tracker.requests:
        assert used.planted.found_in(envelope(sent)) == []
        assert PAYLOAD.encode() not in envelope(sent)


def test_no_job_tells_a_secret(used: Scene) -> None:
    operator = used.operator()
    listed = operator.expect(200, "GET", "/jobs?all=true&limit=100")["items"]
    listed += operator.expect(200, "GET", "/jobs?all=true&operation=email.send")["items"]
    assert "email.send" in {one["operation"] for one in listed}
    for job in listed:
        for part in ("", "/logs", "/steps"):
            answer = operator.request("GET", f"/jobs/{job['job_id']}{part}")
            assert answer.status_code == 200
            assert used.planted.found_in(answer.content) == [], (job["operation"], part)
