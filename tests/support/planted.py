"""A stack in which every secret is planted, so that it is known wherever it turns up."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any

import trustme

from embedded import running_postgres
from error_reports import dsn_of
from full_stack import Client, full_stack, new_operator, operator_of
from mail_server import MailServer, mail_server
from nextcloud import CLIENT_ID, Nextcloud, running_nextcloud
from receiver import Receiver, receiving
from stack_runs import StackRun

REMEMBERING = {"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.max": "10000"}


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
    tracker: Receiver  # of errors
    collector: Receiver  # of spans
    cloud: Nextcloud
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


@contextmanager
def a_scene(folder: Path) -> Iterator[Scene]:
    """A stack that runs with planted secrets, beside servers that know them."""
    planted = Planted()
    with (
        running_postgres(folder / "postgres", **REMEMBERING) as database_url,
        a_mail_server(folder, planted.new("SMTP password")) as mails,
        receiving([500, 204]) as receiver,
        receiving([200]) as tracker,
        receiving([200]) as collector,
        running_nextcloud(secret=planted.new("Nextcloud client secret")) as cloud,
    ):
        settings = settings_with(planted, folder, mails) | {
            "database_url": database_url,
            "nextcloud_url": cloud.url,
            "nextcloud_client_id": CLIENT_ID,
            "error_dsn": dsn_of(tracker, planted.new("key of the error tracker")),
            "tracing_endpoint": collector.url,
        }
        with full_stack(folder, **settings) as run:
            yield Scene(
                run,
                planted,
                database_url,
                folder / "postgres" / "logs" / "server.log",
                mails,
                receiver,
                tracker,
                collector,
                cloud,
                settings,
            )


@contextmanager
def a_mail_server(folder: Path, password: str) -> Iterator[MailServer]:
    """One that lets in whoever knows the password, and refuses some recipients."""
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
    """Every secret that a setting can hold, planted."""
    return {
        "log_level": "DEBUG",
        "jwt_secret_key": planted.new("signing key"),
        "encryption_key": planted.new("encryption key"),
        "flower_password": planted.new("Flower password"),
        "edge_token": planted.new("edge token"),
        "google_client_secret": planted.new("Google client secret"),
        "nextcloud_client_secret": planted.secrets["Nextcloud client secret"],
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
