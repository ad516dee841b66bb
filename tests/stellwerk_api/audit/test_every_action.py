"""Whatever somebody does that has to be found again is on record: a table of every action."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from secrets import token_hex
from typing import Any
from uuid import UUID

import pytest
from click import Command
from click.testing import CliRunner
from sqlalchemy import func, select, text, update

from api import PASSWORD, ApiUser, account, renewed, signed_in, signed_up
from attempts import attempt
from called import add_call
from calling import originate
from connecting import begin, callback, connected, knowing_nextcloud, opened
from engine import as_variables
from leaving import erased
from module_rows import add_module, let_run
from nextcloud import Nextcloud, running_nextcloud
from stellwerk.audit.actions import Action
from stellwerk.audit.model import AuditEntry
from stellwerk.bootstrap import Platform
from stellwerk.cli.admin import create as create_administrator
from stellwerk.cli.backup import backup
from stellwerk.cli.sealing_keys import rotate_data
from stellwerk.cli.signing_keys import rotate
from stellwerk.connections.model import OauthConnection
from stellwerk.connections.queries import Place
from stellwerk.connections.tokens import access_token
from stellwerk.errors import GrantRevoked
from stellwerk.identity import links
from stellwerk.identity.links import Followed, Purpose
from stellwerk.jobs import control, lifecycle
from stellwerk.jobs.lifecycle import Outcome
from stellwerk.jobs.model import JobStep
from stellwerk.jobs.runtime import unit
from stellwerk.jobs.states import JobStatus
from stellwerk.privacy.model import PrivacyRequest
from stellwerk_api.app import create_app

NEW = "a new and longer password"
CONFIRMED = {"password": PASSWORD}
# `stellwerk restore` replaces the whole ledger: tests/stellwerk/cli/test_backup_commands.py
ELSEWHERE = {Action.BACKUP_RESTORED}


@dataclass(slots=True)
class World:
    """Somebody with every right, somebody with few, and what they have at hand."""

    platform: Platform
    cloud: Nextcloud
    folder: Path
    admin: ApiUser
    ada: ApiUser
    bob: ApiUser
    nobody: ApiUser
    job_id: str = ""
    request_id: str = ""

    def change_bob(self, **fields: Any) -> None:
        done(self.admin.send("PATCH", f"/users/{self.bob.user['id']}", json=fields))

    def enable_bob(self) -> None:
        self.change_bob(is_active=True)
        self.bob = signed_in(self.bob.client, str(self.bob.user["email"]))

    def follow(self, purpose: Purpose, email: str, user: ApiUser | None = None) -> str:
        """The token of a link that was mailed to Ada, or to that user."""
        to = Followed(int((user or self.ada).user["id"]), email)
        with self.platform.runtime.sessions.begin() as session:
            return links.make(session, self.platform.settings, purpose, to)

    def verify(self, email: str) -> None:
        token = self.follow(Purpose.VERIFY_EMAIL, email)
        done(self.nobody.get(f"/auth/verify-email?token={token}"))

    def reset(self) -> None:
        body = {"token": self.follow(Purpose.RESET_PASSWORD, "x@example.com"), "password": PASSWORD}
        done(self.nobody.post("/auth/password-reset/confirm", body))
        self.ada = signed_in(self.ada.client, self.ada_email())

    def take_over(self) -> None:
        made = {"name": "daily", "operation": "diagnostics.echo", "cron": "0 7 * * *"}
        done(self.bob.post("/schedules", made))
        token = self.follow(Purpose.RESET_PASSWORD, str(self.bob.user["email"]), self.bob)
        body = {"token": token, "password": PASSWORD}
        done(self.nobody.post("/auth/password-reset/confirm", body))

    def change_password(self) -> None:
        done(self.ada.post("/auth/password", {"current_password": PASSWORD, "new_password": NEW}))

    def ada_email(self) -> str:
        found = self.admin.get(f"/users/{self.ada.user['id']}").get_json()
        return str(found["email"])

    def ask(self, what: str) -> None:
        answer = done(self.ada.post(f"/privacy/{what}", CONFIRMED))
        self.request_id = str(answer.get_json()["id"])

    def withdraw(self) -> None:
        done(self.ada.post(f"/privacy/requests/{self.request_id}/withdraw"))

    def take_export(self) -> None:
        self.ask("export")
        with self.platform.runtime.sessions() as session:
            job_id = session.get_one(PrivacyRequest, UUID(self.request_id)).job_id
        attempt(self.platform.runtime, job_id or UUID(int=0))
        done(self.ada.get(f"/jobs/{job_id}/artifacts/personal-data.zip"))

    def reuse(self) -> None:
        renewed(self.bob)
        with self.platform.runtime.sessions.begin() as session:
            session.execute(text("UPDATE refresh_tokens SET spent_at = spent_at - interval '1h'"))
        self.nobody.post("/auth/refresh", {"refresh_token": self.bob.refresh_token})

    def command(self, command: Command, *arguments: str) -> None:
        ran = CliRunner().invoke(
            command, arguments, env=as_variables(self.platform.settings), input=f"{PASSWORD}\n"
        )
        assert ran.exit_code == 0, ran.output

    def intervene(self, verb: str, body: Any = None) -> None:
        done(self.admin.post(f"/jobs/{self.job_id}/{verb}", body))

    def read_anothers_call(self) -> None:
        call_id = add_call(self.platform, int(self.bob.user["id"]))
        done(self.admin.get(f"/call-status/{call_id}"))

    def read_anothers_log(self) -> None:
        self.job_id = self.bob.submit()
        done(self.admin.get(f"/jobs/{self.job_id}/logs"))

    def retry(self) -> None:
        self.intervene("cancel")
        self.intervene("retry")

    def resolve(self) -> None:
        self.job_id = self.bob.submit()
        effect = {"kind": "effect", "state": "intent", "repeatable": "blind", "attempt": 1}
        error = lifecycle.failure("EFFECT_UNCERTAIN", "Nobody can tell.", retryable=False)
        with unit(self.platform.runtime) as work:
            work.session.add(JobStep(job_id=UUID(self.job_id), step="dial", **effect))
            job = control.locked(work.session, UUID(self.job_id))
            ended = Outcome(JobStatus.FAILED, error=error)
            lifecycle.end(self.platform.runtime, work, job, ended)
        self.intervene("resolve", {"effect": "dial", "happened": True})

    def api_key(self, verb: str) -> None:
        made = done(self.bob.post("/api-keys", {"name": verb})).get_json()["id"]
        if verb == "rotate":
            done(self.bob.post(f"/api-keys/{made}/rotate", {}))
        if verb == "revoke":
            done(self.bob.send("DELETE", f"/api-keys/{made}"))

    def answer_elsewhere(self) -> None:
        opened(self.nobody.client, self.cloud.allow(begin(self.bob).authorization_url))

    def lose(self) -> None:
        self.cloud.withdraw()
        with self.platform.runtime.sessions.begin() as session:
            session.execute(
                update(OauthConnection).values(expires_at=func.now() - timedelta(hours=1))
            )
        self.platform.live_client.redis.flushdb()
        with pytest.raises(GrantRevoked):
            access_token(self.platform.runtime, Place(int(self.bob.user["id"]), "nextcloud"))

    def add_repository(self) -> None:
        body = {"name": "ours", "kind": "file", "location": str(self.folder)}
        done(self.admin.post("/repositories", body))

    def remove_repository(self) -> None:
        (ours,) = self.admin.get("/repositories").get_json()["items"]
        done(self.admin.send("DELETE", f"/repositories/{ours['id']}"))

    def instance(self, method: str, path: str, **sent: Any) -> None:
        """A request about a further instance of a module that runs."""
        name = f"clock-{token_hex(4)}"
        ids = add_module(self.platform, name, number=2)
        let_run(self.platform, name, ids)
        done(self.admin.send(method, path.format(f"{name}/{ids[1]}"), **sent))

    def move_the_head(self) -> None:
        with self.platform.engine.begin() as connection:
            connection.execute(text("UPDATE audit_head SET mark = 'x'"))
        done(self.admin.post("/queues/media/pause"))


def done(answer: Any) -> Any:
    assert answer.status_code < 300, answer.text
    return answer


Act = Callable[[World], object]
REQUEUE = {"status": "cancelled"}
# In an order in which each can be done after those before it.
ACTS: Mapping[Action, Act] = {
    Action.ACCOUNT_REGISTERED: lambda w: w.nobody.post("/auth/register", account()),
    Action.ACCOUNT_REGISTERED_AGAIN: lambda w: w.nobody.post(
        "/auth/register", account(email=w.ada_email())
    ),
    Action.ACCOUNT_VERIFIED: lambda w: w.verify(str(w.ada.user["email"])),
    Action.ACCOUNT_EMAIL_CHANGED: lambda w: w.verify("another@example.com"),
    Action.SESSION_STARTED: lambda w: signed_in(w.nobody.client, w.ada_email()),
    Action.SESSION_REFUSED: lambda w: w.nobody.post("/auth/login", account()),
    Action.SESSION_ENDED: lambda w: signed_in(w.nobody.client, w.ada_email()).post("/auth/logout"),
    Action.SESSION_REFRESH_REUSED: World.reuse,
    Action.PASSWORD_REFUSED: lambda w: w.ada.post("/privacy/delete", {"password": "not hers"}),
    Action.PASSWORD_CHANGED: World.change_password,
    Action.PASSWORD_RESET: World.reset,
    Action.ACCOUNT_EXPORT_REQUESTED: lambda w: w.ask("export"),
    Action.ACCOUNT_EXPORT_WITHDRAWN: World.withdraw,
    Action.ACCOUNT_EXPORTED: World.take_export,
    Action.ACCOUNT_ERASURE_REQUESTED: lambda w: w.ask("delete"),
    Action.ACCOUNT_ERASURE_WITHDRAWN: World.withdraw,
    Action.ACCOUNT_ERASED: lambda w: erased(w.platform, w.ada),
    Action.ACCOUNT_READ: lambda w: w.admin.get(f"/users/{w.bob.user['id']}"),
    Action.ACCOUNTS_LISTED: lambda w: w.admin.get("/users/"),
    Action.ACCOUNT_CHANGED: lambda w: w.change_bob(subscription_tier="pro"),
    Action.ACCOUNT_DISABLED: lambda w: w.change_bob(is_active=False),
    Action.ACCOUNT_ENABLED: World.enable_bob,
    Action.ACCOUNT_INSTALLED: lambda w: w.command(
        create_administrator, "--email", "second@example.com", "--password-stdin"
    ),
    Action.ACCOUNT_PROMOTED: lambda w: w.command(
        create_administrator, "--email", "second@example.com", "--password-stdin", "--promote"
    ),
    Action.API_KEY_CREATED: lambda w: w.api_key("create"),
    Action.API_KEY_ROTATED: lambda w: w.api_key("rotate"),
    Action.API_KEY_REVOKED: lambda w: w.api_key("revoke"),
    Action.CONFIGURATION_CHANGED: lambda w: w.admin.send(
        "PATCH", "/admin/config", json={"values": {"maintenance.retry_after_s": 60}}
    ),
    Action.CONFIGURATION_RESET: lambda w: w.admin.post(
        "/admin/config/maintenance.retry_after_s/reset", {}
    ),
    Action.SIGNING_KEY_ROTATED: lambda w: w.command(rotate),
    Action.DATA_KEYS_ROTATED: lambda w: w.command(rotate_data, "--pause-ms", "0"),
    Action.BACKUP_WRITTEN: lambda w: w.command(backup, str(w.folder / "file"), "--no-artifacts"),
    Action.QUEUE_PAUSED: lambda w: w.admin.post("/queues/media/pause"),
    Action.QUEUE_RESUMED: lambda w: w.admin.post("/queues/media/resume"),
    Action.JOBS_LISTED: lambda w: w.admin.get("/jobs?all=true"),
    Action.JOB_READ: World.read_anothers_log,
    Action.CALL_READ: World.read_anothers_call,
    Action.JOB_SIGNALLED: lambda w: w.intervene("signal", {"name": "go"}),
    Action.JOB_CANCELLED: lambda w: w.intervene("cancel"),
    Action.JOBS_REQUEUED: lambda w: w.admin.post("/jobs/requeue", REQUEUE),
    Action.JOB_RETRIED: World.retry,
    Action.CALL_REQUESTED: lambda w: originate(w.platform, int(w.bob.user["id"])),
    Action.EFFECT_RESOLVED: World.resolve,
    Action.WEBHOOK_SECRET_MADE: lambda w: w.bob.post("/webhook-endpoints/callback-secret"),
    Action.CONNECTION_REQUESTED: lambda w: begin(w.bob),
    Action.CONNECTION_REFUSED: World.answer_elsewhere,
    Action.CONNECTION_OPENED: lambda w: connected(w.bob, w.cloud),
    Action.CONNECTION_LOST: World.lose,
    Action.CONNECTION_REMOVED: lambda w: w.bob.send("DELETE", "/connections/nextcloud"),
    Action.SCHEDULE_PAUSED: World.take_over,
    Action.REPOSITORY_ADDED: World.add_repository,
    Action.REPOSITORY_REMOVED: World.remove_repository,
    Action.INSTANCE_CONFIGURED: lambda w: w.instance(
        "PATCH", "/modules/instance/{}/environment", json={"secrets": {"TOKEN": "hush"}}
    ),
    Action.INSTANCE_MADE_PRIMARY: lambda w: w.instance("POST", "/modules/primary/{}"),
    Action.AUDIT_READ: lambda w: w.admin.get("/audit"),
    Action.AUDIT_DISTRUSTED: World.move_the_head,
}


@pytest.fixture
def world(platform: Platform, admin: ApiUser, tmp_path: Path) -> Iterator[World]:
    with running_nextcloud(callback(platform.settings, "nextcloud")) as cloud:
        here = knowing_nextcloud(platform, cloud)
        app = create_app(here)
        ada, bob = (signed_up(app.test_client()) for _ in range(2))
        admin = ApiUser(app.test_client(), admin.credentials, admin.user)
        yield World(here, cloud, tmp_path, admin, ada, bob, ApiUser(app.test_client()))


def test_the_table_names_every_action() -> None:
    assert set(Action) == set(ACTS) | ELSEWHERE


def test_every_action_is_on_record_when_it_is_done(world: World) -> None:
    for action, act in ACTS.items():
        before = last(world, action)
        act(world)
        assert last(world, action) > before, action


def last(world: World, action: Action) -> int:
    """The number of its newest entry."""
    query = select(func.max(AuditEntry.sequence)).where(AuditEntry.action == action.value)
    with world.platform.runtime.sessions() as session:
        return session.scalar(query) or 0
