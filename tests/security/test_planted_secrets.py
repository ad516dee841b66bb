"""Secrets are planted everywhere in a running stack, and nothing that it writes down holds one.

Searched are the logs of all processes and of both servers, every file of the home, every key of
Redis, what Postgres remembers of statements, Flower's API, and the documents and logs of jobs.
"""

import json
import re
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any

import psycopg2
import pytest
import redis
import requests
import trustme
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from command_line import CommandLine
from embedded import running_postgres, wait_until
from full_stack import Client, full_stack, new_operator, operator_of
from mail_server import MailServer, Received, mail_server
from receiver import Receiver, receiving
from stack_runs import StackRun
from stellwerk.bootstrap import bootstrap
from stellwerk.providers.mail.protocol import Parcel
from stellwerk.settings import load_settings

pytestmark = [
    pytest.mark.xdist_group("stack"),
    pytest.mark.timeout(300),
]

REMEMBERING = {"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.max": "10000"}
LEGITIMATE = {"secrets.json"}  # of the home; its owner alone may read it
NUL = "\x00"
AS_JSON = {"outbound_allowed_networks", "retry_delays_s"}


@dataclass(slots=True)
class Planted:
    """Every secret by what it is."""

    secrets: dict[str, str] = field(default_factory=dict, repr=False)

    def new(self, name: str) -> str:
        """A secret that nothing else looks like."""
        self.secrets[name] = f"planted-{token_hex(20)}"
        return self.secrets[name]

    def note(self, name: str, secret: str) -> str:
        """One that the platform made."""
        self.secrets[name] = secret
        return secret

    def found_in(self, text: bytes) -> list[str]:
        """The names of those that stand in it."""
        return [name for name, secret in self.secrets.items() if secret.encode() in text]


@dataclass(frozen=True, slots=True)
class Scene:
    """The stack, what is outside of it, and what was planted."""

    run: StackRun
    planted: Planted
    database_url: str
    postgres_log: Path
    mails: MailServer
    receiver: Receiver
    settings: dict[str, Any]

    @property
    def url(self) -> str:
        """The root of the public port."""
        return str(self.run.document()["urls"]["api"]).removesuffix("/api/v1")

    def anybody(self) -> Client:
        """Nobody who is signed in."""
        return Client(self.url)

    def operator(self) -> Client:
        """An administrator, made by the command line."""
        known = {
            "DATABASE_URL": self.database_url,
            "STELLWERK_ENCRYPTION_KEY": self.planted.secrets["encryption key"],
        }
        return operator_of(self.run, new_operator(self.run, **known))


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("planted")
    planted = Planted()
    with (
        running_postgres(folder / "postgres", **REMEMBERING) as database_url,
        a_mail_server(folder, planted.new("SMTP password")) as mails,
        receiving([500, 204]) as receiver,
    ):
        settings = settings_with(planted, folder, mails) | {"database_url": database_url}
        with full_stack(folder, **settings) as run:
            yield Scene(
                run,
                planted,
                database_url,
                folder / "postgres" / "logs" / "server.log",
                mails,
                receiver,
                settings,
            )


@contextmanager
def a_mail_server(folder: Path, password: str) -> Iterator[MailServer]:
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    with mail_server(
        tls=tls,
        login=("stellwerk", password),
        recipient=lambda who: f"550 5.1.1 <{who}> unknown" if "refused" in who else "250 OK",
    ) as server:
        yield server


def settings_with(planted: Planted, folder: Path, mails: MailServer) -> dict[str, Any]:
    return {
        "log_level": "DEBUG",
        "jwt_secret_key": planted.new("signing key"),
        "encryption_key": planted.new("encryption key"),
        "flower_password": planted.new("Flower password"),
        "edge_token": planted.new("edge token"),
        "google_client_secret": planted.new("Google client secret"),
        "nextcloud_client_secret": planted.new("Nextcloud client secret"),
        "scrape_token": planted.new("scrape token"),
        "realtime_token": planted.new("realtime token"),
        "s3_secret_access_key": planted.new("S3 key"),
        "script_provider": "openai",
        "openai_api_key": planted.new("OpenAI key"),
        "openai_base_url": "http://127.0.0.1:9/v1",
        "elevenlabs_api_key": planted.new("ElevenLabs key"),
        "mail_provider": "smtp",
        "mail_from": "Stellwerk <no-reply@example.com>",
        "smtp_host": "localhost",
        "smtp_port": mails.port,
        "smtp_username": "stellwerk",
        "smtp_password": planted.secrets["SMTP password"],
        "smtp_ca_file": folder / "ca.pem",
        "outbound_allowed_networks": '["127.0.0.1/32"]',
        "retry_delays_s": '{"webhooks.deliver": [0.2, 0.2], "email.send": [0.2, 0.2]}',
    }


def test_a_command_without_the_key_of_the_stack_is_refused(scene: Scene) -> None:
    given = {"STELLWERK_HOME": str(scene.run.home.path), "DATABASE_URL": scene.database_url}
    command = CommandLine(given, scene.run.home.path)
    mail = "late@example.com"
    ran = command.run("admin", "create", "--email", mail, "--password-stdin", typed="a long secret")
    assert ran.code == 1
    assert "give this command the same STELLWERK_ENCRYPTION_KEY" in ran.err


@pytest.fixture(scope="module")
def used(scene: Scene) -> Scene:
    """The same, after everything was done that involves a secret, well and badly."""
    signing_in(scene)
    ada = somebody(scene)
    keys_and_tokens(scene, ada)
    webhooks(scene, ada)
    bodies_that_are_refused(scene, ada)
    mails(scene)
    forgotten_passwords(scene)
    with suppress(requests.RequestException):
        scene.anybody().request("GET", f"/auth/me?token={scene.planted.new('token in a URL')}")
    return scene


def signing_in(scene: Scene) -> None:
    """Wrong, malformed and refused."""
    anybody, planted = scene.anybody(), scene.planted
    for name, body in {
        "wrong password": {"email": "eve@example.com", "password": "{}"},
        "password in a wrong form": {"email": "eve@example.com", "password": ["{}"]},
        "password with a NUL": {"email": "eve@example.com", "password": "{}" + NUL},
        "password beside an unknown field": {"email": "a@b.de", "password": "{}", "x": 1},
        "password as an unknown field": {"email": "a@b.de", "password": "x", "{}": 1},
    }.items():
        sent = json.loads(json.dumps(body).replace("{}", planted.new(name)))
        for route in ("/auth/login", "/auth/register"):
            anybody.request("POST", route, json=sent)
    broken = f'{{"email": "eve@example.com", "password": "{planted.new("broken body")}"'
    for route in ("/auth/login", "/auth/register"):
        answer = anybody.request(
            "POST", route, data=broken, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 400
    named = {"email": "eve@example.com" + NUL, "password": planted.new("password of nobody")}
    anybody.request("POST", "/auth/register", json={**named, "full_name": NUL})


def somebody(scene: Scene) -> Client:
    """Registered and signed in with a planted password."""
    client = scene.anybody()
    account = {"email": "ada@example.com", "password": scene.planted.new("password")}
    client.expect(202, "POST", "/auth/register", json=account)
    client.expect(202, "POST", "/auth/register", json=account)
    answer = client.expect(200, "POST", "/auth/login", json=account)
    token = scene.planted.note("access token", answer["access_token"])
    if "refresh_token" in answer:
        scene.planted.note("refresh token", answer["refresh_token"])
    client.session.headers["Authorization"] = f"Bearer {token}"
    return client


def keys_and_tokens(scene: Scene, ada: Client) -> None:
    """Good, wrong, revoked, in headers, URLs and sockets."""
    planted = scene.planted
    made = ada.expect(201, "POST", "/api-keys", json={"name": "a program"})
    key = planted.note("API key", made["key"])
    program = scene.anybody()
    program.session.headers["Authorization"] = f"Bearer {key}"
    program.expect(200, "GET", "/auth/me")
    program.expect(200, "GET", "/jobs")
    ada.request("DELETE", f"/api-keys/{made['id']}")
    program.expect(401, "GET", "/auth/me")
    stranger = scene.anybody()
    for scheme in ("Bearer ", "Basic ", "Token ", ""):
        secret = planted.new(f"{scheme or 'bare '}token of nobody's")
        stranger.session.headers["Authorization"] = f"{scheme}{secret}"
        stranger.request("GET", "/jobs")
        stranger.request("POST", "/jobs", json={"operation": "diagnostics.echo", "payload": {}})
    address = scene.url.replace("http", "ws", 1) + "/api/v1/ws"
    for token in (planted.secrets["access token"], planted.new("token of nobody's in a socket")):
        with suppress(WebSocketException), connect(address) as socket:
            socket.send(json.dumps({"type": "auth", "token": token}))
            socket.recv(timeout=20)


def webhooks(scene: Scene, ada: Client) -> None:
    """Made, delivered after a failure, replaced, and refused."""
    url = f"{scene.receiver.url}/hook"
    made = ada.expect(201, "POST", "/webhook-endpoints", json={"url": url})
    scene.planted.note("webhook secret", made["secret"].removeprefix("whsec_"))
    made_for_callbacks = ada.request("POST", "/webhook-endpoints/callback-secret").json()
    scene.planted.note("callback secret", made_for_callbacks["secret"].removeprefix("whsec_"))
    secret = scene.planted.new("secret in a callback's URL")
    body = {"operation": "diagnostics.echo", "payload": {"message": "hi"}}
    for callback in (f"{url}?key={secret}", f"http://192.0.2.1:9/?key={secret}"):
        ada.request("POST", "/jobs", json={**body, "callback_url": callback})
    job = ada.expect(202, "POST", f"/webhook-endpoints/{made['id']}/test")["job_id"]
    ada.ended(job)
    wait_until(lambda: len(scene.receiver.requests) > 2, timeout_s=60)


def bodies_that_are_refused(scene: Scene, ada: Client) -> None:
    """By the schema, and by Postgres."""
    planted = scene.planted
    for name, value in {"a NUL": NUL, "a lone surrogate": "\ud800"}.items():
        data = {"password": planted.new(f"payload beside {name}"), "more": value}
        body = {"operation": "diagnostics.echo", "payload": {"message": "hi", "data": data}}
        ada.request("POST", "/jobs", json=body)
        ada.request("POST", "/jobs/bulk", json={"jobs": [body]})
        ada.request("POST", "/jobs", json={**body, "queue": "nowhere"})


def mails(scene: Scene) -> None:
    """Sent, refused, and to a server that does not let us in any more."""
    operator = scene.operator()
    token = operator.session.headers["Authorization"]
    scene.planted.note("operator's access token", str(token).removeprefix("Bearer "))
    for name, to in {"a mail": "ada@example.com", "a refused mail": "refused@example.com"}.items():
        operator.ended(operator.submit("email.send", letter(scene, name, to)))
    right, scene.mails.login = scene.mails.login, ("stellwerk", "another")
    job = operator.submit("email.send", letter(scene, "a mail of one who may not sign in"))
    assert operator.ended(job)["error"]["code"] == "PROVIDER_UNAVAILABLE"
    scene.mails.login = right
    wrong = letter(scene, "a mail that is refused") | {"language": "fr"}
    body = {"operation": "email.send", "payload": wrong}
    operator.expect(422, "POST", "/jobs", json=body)


def forgotten_passwords(scene: Scene) -> None:
    """Asked for, followed with a wrong token, and with one that is not there."""
    anybody, wrong = scene.anybody(), scene.planted.new("reset token of nobody's")
    new = {"token": wrong, "password": scene.planted.new("new password beside a wrong token")}
    anybody.request("POST", "/auth/password-reset", json={"email": "ada@example.com"})
    wait_until(lambda: {"Choose a new password", "Confirm your e-mail address"} <= subjects(scene))
    for number, received in enumerate(scene.mails.inbox):
        for token in re.findall(r"token=([\w.-]+)", plain(received)):
            scene.planted.note(f"token in mail {number}", token)
            anybody.request("GET", f"/auth/verify-email?token={token}")
    anybody.request("POST", "/auth/password-reset/confirm", json=new)
    anybody.request("GET", f"/auth/verify-email?token={wrong}")
    anybody.request("POST", "/auth/refresh", json={"refresh_token": wrong})


def plain(received: Received) -> str:
    """Its text."""
    body = received.message.get_body(("plain",))
    return str(body.get_content()) if body else ""


def subjects(scene: Scene) -> set[str]:
    """Of the mails that came to Ada."""
    to_ada = [one for one in scene.mails.inbox if one.recipients == ("ada@example.com",)]
    return {str(one.message["Subject"]) for one in to_ada}


def letter(scene: Scene, name: str, to: str = "ada@example.com") -> dict[str, Any]:
    token = scene.planted.new(f"reset token in {name}")
    link = f"https://stellwerk.example.com/reset?token={token}"
    return {
        "to": to,
        "template": "reset_password",
        "variables": {"link": link, "valid_h": 1},
    }


def test_the_scene_did_what_it_is_there_for(used: Scene) -> None:
    planted = used.planted.secrets["reset token in a mail"]
    assert sum(planted in plain(one) for one in used.mails.inbox) == 1
    assert {name for name in used.planted.secrets if name.startswith("token in mail ")}


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
        answer = requests.get(f"{used.url}/flower/api/{path}", auth=auth, timeout=30)
        assert answer.status_code == 200
        assert used.planted.found_in(answer.content) == []


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
