"""What Ada, her keys, operators and admins get from every guarded route: tests/support/rights."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from adas_things import Things, person
from api import ApiUser
from rights import NEVER, READ, RIGHTS, SUBMIT, WRITE, Rights
from stellwerk.bootstrap import Platform
from stellwerk_api.auth import PUBLIC

ENOUGH = {READ: ["read"], WRITE: ["write"], SUBMIT: ["videos.*", "diagnostics.*", "modules.*"]}
NOT_ENOUGH = {READ: ["write", "videos.*"], WRITE: ["read", "videos.*"], SUBMIT: ["read"]}
SAFE = {"GET"}


@dataclass(frozen=True, slots=True)
class Stage:
    """A request of Ada's world: who she is, and where it goes."""

    ada: ApiUser
    endpoint: str
    method: str
    path: str
    body: Any


Stages = Callable[[Callable[[Rights], int]], Iterator[Stage]]


@pytest.fixture
def stages(application: Flask, platform: Platform, client: FlaskClient) -> Stages:
    """Every guarded route; those that change something each find a world of their own.

    Given is what each is to answer: a refusal changes nothing.
    """
    return lambda expected: _stages(application, platform, client, expected)


def _stages(
    application: Flask, platform: Platform, client: FlaskClient, expected: Callable[[Rights], int]
) -> Iterator[Stage]:
    adapter = application.url_map.bind("localhost")
    shared = person(platform, client)
    things = Things(platform, shared)
    for rule in application.url_map.iter_rules():
        if rule.endpoint in PUBLIC:
            continue
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            ada, hers = shared, things
            rights = RIGHTS.get(rule.endpoint)
            if method not in SAFE and rights and expected(rights) < 400:
                ada = person(platform, client)
                hers = Things(platform, ada)
            path = adapter.build(rule.endpoint, hers.of(rule.endpoint, rule.arguments), method)
            yield Stage(ada, rule.endpoint, method, path, BODIES.get(rule.endpoint))


def sent(stage: Stage, who: ApiUser) -> TestResponse:
    return who.client.open(
        stage.path, method=stage.method, headers=dict(who.credentials), json=stage.body
    )


def wrong(
    stages: Stages,
    who: Callable[[Stage, Rights], ApiUser | None],
    expected: Callable[[Rights], int],
) -> dict[str, tuple[int, int]]:
    """Routes whose answers are others than the table says: what came, and what was expected."""
    found = {}
    for stage in stages(expected):
        rights = RIGHTS.get(stage.endpoint)
        sender = rights and who(stage, rights)
        if rights and sender:
            found[stage.endpoint] = sent(stage, sender).status_code, expected(rights)
    return {name: statuses for name, statuses in found.items() if statuses[0] != statuses[1]}


@pytest.fixture
def keyed() -> Callable[[ApiUser, list[str]], ApiUser]:
    """Somebody's API key of these scopes, the same one each time: nobody may have very many."""
    made: list[tuple[ApiUser, list[str], ApiUser]] = []

    def key(owner: ApiUser, scopes: list[str]) -> ApiUser:
        for whose, what, found in made:
            if whose is owner and what == scopes:
                return found
        made.append((owner, scopes, owner.with_key(scopes=scopes)))
        return made[-1][2]

    return key


def test_the_table_names_every_guarded_route(application: Flask) -> None:
    routed = {rule.endpoint for rule in application.url_map.iter_rules()}
    assert routed - set(PUBLIC) == set(RIGHTS)


def test_the_owner_gets_what_the_table_says(stages: Stages) -> None:
    assert wrong(stages, lambda stage, _: stage.ada, lambda rights: rights.owner) == {}


@pytest.mark.parametrize("role", ["operator", "admin"])
def test_operators_and_admins_get_what_the_table_says(
    stages: Stages, platform: Platform, client: FlaskClient, role: str
) -> None:
    reader = person(platform, client, role)

    def expected(rights: Rights) -> int:
        return int(getattr(rights, role))

    def staff(stage: Stage, rights: Rights) -> ApiUser:
        changes = stage.method not in SAFE and expected(rights) < 400
        return person(platform, client, role) if changes else reader

    assert wrong(stages, staff, expected) == {}


def test_a_key_without_the_scope_is_refused_everywhere_and_for_that(
    stages: Stages,
    platform: Platform,
    client: FlaskClient,
    keyed: Callable[[ApiUser, list[str]], ApiUser],
) -> None:
    let_in = {}
    staff = person(platform, client, "admin")
    for stage in stages(lambda _: 403):
        rights = RIGHTS[stage.endpoint]
        owner = stage.ada if rights.owner != 403 else staff
        scopes = [] if rights.scope == NEVER else NOT_ENOUGH[rights.scope]
        answer = sent(stage, keyed(owner, scopes))
        refused_for = answer.get_json()["error"]["details"] if answer.status_code == 403 else {}
        if ("permission" if rights.scope == NEVER else "scope") not in refused_for:
            let_in[stage.endpoint] = answer.status_code, refused_for
    assert let_in == {}


def test_a_key_with_the_scope_may_do_what_its_owner_may(
    stages: Stages,
    platform: Platform,
    client: FlaskClient,
    keyed: Callable[[ApiUser, list[str]], ApiUser],
) -> None:
    def wide(stage: Stage, rights: Rights) -> ApiUser | None:
        if rights.scope == NEVER:
            return None
        owner = stage.ada if rights.owner != 403 else person(platform, client, "admin")
        return keyed(owner, ENOUGH[rights.scope])

    def expected(rights: Rights) -> int:
        return rights.admin if rights.owner == 403 else rights.owner

    assert wrong(stages, wide, expected) == {}


BODIES: dict[str, Any] = {
    "jobs.signal": {"name": "go"},
    "jobs.resolve": {"effect": "mail", "happened": True},
    "jobs.submit": {"operation": "diagnostics.echo"},
    "jobs.submit_many": {"jobs": [{"operation": "diagnostics.echo"}]},
    "jobs.requeue": {},
    "accounts.change_password": {},
    "accounts.delete": {},
    "api_keys.create": {"name": "mine"},
    "api_keys.rotate": {},
    "accounts.change": {"full_name": "Bob"},
    "users.change": {"is_active": False},
    "privacy.export": {},
    "privacy.delete": {},
    "configuration.change": {"values": {"maintenance.message": "Back at noon."}},
    "configuration.apply": {"values": {"maintenance.message": "Back at noon."}},
    "configuration.replace": {"value": "Back at noon."},
    "configuration.reset": {},
    "connections.begin": {},
    "connections.begin_channel": {},
    "webhook_endpoints.create": {"url": "https://hooks.example.com"},
    "webhook_endpoints.change": {"active": False},
    "schedules.create": {"name": "mine", "operation": "diagnostics.echo", "interval_s": 3600},
    "schedules.change": {"name": "theirs"},
    "channels.create_channel": {"name": "mine"},
    "channels.change_channel": {"niche": "theirs"},
    "videos.generate_video": {},
    "videos.change_video": {"title": "theirs"},
    "listeners.compare": {},
    "calls.originate": {},
    "modules.configure": {"environment": {"GREETING": "hello"}},
    "modules.update": {},
    "modules.install_instance": {},
    "repository.install": {},
    "legacy_install.install_named": {},
    "repositories.add": {},
}
