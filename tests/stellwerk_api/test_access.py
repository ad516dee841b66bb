"""Who may use which route: a table that has to name every route there is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask

from api import PASSWORD, UNKNOWN_ID, ApiUser, error_of
from called import add_call
from module_rows import add_far_repository, add_module
from people import add_channel
from stellwerk.bootstrap import Platform
from stellwerk.errors import ConfigurationError
from stellwerk_api.app import add_routes, empty_app
from stellwerk_api.auth import PUBLIC, declarations, guard, requires
from stellwerk_api.credentials import Credentials

HOURLY = {"name": "hourly", "operation": "diagnostics.echo", "interval_s": 3600}
# What somebody else gets from a route when it is pointed at Ada's things.
ANOTHERS: dict[str, tuple[int, Any]] = {
    "jobs.poll": (404, None),
    "jobs.cancel": (404, None),
    "jobs.retry": (404, None),
    "jobs.signal": (404, {"name": "go"}),
    "jobs.resolve": (404, {"effect": "mail", "happened": True}),
    "jobs.events": (404, None),
    "jobs.logs": (404, None),
    "jobs.steps": (404, None),
    "jobs.children": (404, None),
    "jobs.artifacts": (404, None),
    "jobs.artifact": (404, None),
    "api_keys.revoke": (404, None),
    "api_keys.show": (404, None),
    "api_keys.rotate": (404, {}),
    "webhook_endpoints.show": (404, None),
    "webhook_endpoints.change": (404, {"active": False}),
    "webhook_endpoints.delete": (404, None),
    "webhook_endpoints.rotate_secret": (404, None),
    "webhook_endpoints.test": (404, None),
    "webhook_endpoints.browse_deliveries": (404, None),
    "webhook_endpoints.redeliver": (404, None),
    "webhook_endpoints.redeliver_callback": (404, None),
    "schedules.show": (404, None),
    "schedules.change": (404, {"name": "theirs"}),
    "schedules.delete": (404, None),
    "schedules.pause": (404, None),
    "schedules.resume": (404, None),
    "schedules.run": (404, None),
    "schedules.fires": (404, None),
    "channels.get_channel": (404, None),
    "channels.change_channel": (404, {"niche": "theirs"}),
    "channels.delete_channel": (404, None),
    "connections.begin_channel": (404, {}),
    "connections.forget_channel": (404, None),
    "calls.hang_up": (403, None),  # it takes tokens for telephony
    "calls.show": (404, None),
    "videos.get_video": (404, None),
    "videos.change_video": (404, {"title": "theirs"}),
    "videos.delete_video": (404, None),
    "videos.retry_video": (404, None),
    "videos.get_video_cost": (404, None),
    "privacy.show": (404, None),
    "privacy.withdraw": (404, None),
}
# Routes that point at nobody's things: what an ordinary user gets.
OWN: dict[str, tuple[int, Any]] = {
    "jobs.browse": (200, None),
    "jobs.own_events": (406, None),
    "jobs.submit": (202, {"operation": "diagnostics.echo"}),
    "jobs.submit_many": (202, {"jobs": [{"operation": "diagnostics.echo"}]}),
    "api_keys.browse": (200, None),
    "api_keys.create": (201, {"name": "mine"}),
    "accounts.who_am_i": (200, None),
    "accounts.show": (200, None),
    "accounts.change": (200, {"full_name": "Bob"}),
    "accounts.show_usage": (200, None),
    "accounts.change_password": (422, {}),
    "users.browse": (403, None),
    "users.show": (403, None),
    "users.change": (403, {"is_active": False}),
    "users.delete": (403, None),
    "accounts.delete": (401, {"password": "not Bob's"}),
    "accounts.logout": (204, None),
    "operations.browse": (200, None),
    "operations.show": (200, None),
    "webhook_endpoints.browse": (200, None),
    "webhook_endpoints.create": (201, {"url": "https://hooks.example.com"}),
    "webhook_endpoints.show_callback_secret": (200, None),
    "webhook_endpoints.make_callback_secret": (200, None),
    "webhook_endpoints.browse_callbacks": (200, None),
    "schedules.browse": (200, None),
    "schedules.create": (201, HOURLY),
    "connections.browse": (200, None),
    "connections.begin": (404, {}),  # no provider is set up here
    "connections.show": (404, None),
    "connections.forget": (404, None),
    "channels.list_channels": (200, None),
    "channels.create_channel": (201, {"name": "mine"}),
    "calls.originate": (403, {"to": "+493012341005"}),
    "calls.browse": (200, None),
    "calls.measure": (403, None),
    "videos.list_videos": (200, None),
    "videos.generate_video": (422, {}),
    "privacy.browse": (200, None),
    "privacy.confirm": (202, None),
    "privacy.export": (422, {}),
    "privacy.delete": (401, {"password": "not Bob's"}),
    "listeners.me": (200, None),
    "listeners.compare": (403, {}),
    "audit.browse": (403, None),
    "configuration.browse": (403, None),
    "configuration.change": (403, {"values": {"rates.login": "10/min"}}),
    "configuration.apply": (403, {"values": {"rates.login": "10/min"}}),
    "configuration.show": (403, None),
    "configuration.replace": (403, {"value": "10/min"}),
    "configuration.reset": (403, {}),
    "jobs.requeue": (403, {}),
    "modules.browse": (200, None),
    "modules.instances": (200, None),
    "modules.show": (200, None),
    "modules.primary": (200, None),
    "modules.events": (406, None),
    "modules.operation": (404, None),
    "modules.orphans": (403, None),
    "modules.environment": (403, None),
    "modules.logs": (403, None),
    "modules.configure": (403, {}),
    "modules.make_primary": (403, None),
    "modules.update": (403, {}),
    "modules.install_instance": (403, {}),
    "modules.remove": (403, None),
    "modules.start": (403, None),
    "modules.stop": (403, None),
    "modules.restart": (403, None),
    "repository.browse": (200, None),
    "repository.offers": (200, None),
    "repository.install": (403, {}),
    "repository.install_status": (404, None),
    "repository.uninstall": (403, None),
    "legacy_install.install_named": (403, {}),
    "repositories.browse": (200, None),
    "repositories.show": (200, None),
    "repositories.add": (403, {}),
    "repositories.remove": (403, None),
    "repositories.sync": (403, None),
    "queues.browse": (403, None),
    "queues.show": (403, None),
    "queues.pause": (403, None),
    "queues.resume": (403, None),
    "system.metrics": (403, None),
    "root.metrics": (403, None),
}


@dataclass(frozen=True, slots=True)
class Route:
    endpoint: str
    method: str
    path: str  # with Ada's things in it


@pytest.fixture
def routes(application: Flask, platform: Platform, ada: ApiUser) -> list[Route]:
    things = things_of(platform, ada)
    adapter = application.url_map.bind("localhost")
    found = [
        Route(rule.endpoint, method, adapter.build(rule.endpoint, taken(rule.arguments, things)))
        for rule in application.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
        if rule.endpoint not in PUBLIC
    ]
    return list(dict.fromkeys(found))  # an alias leads to the same


def things_of(platform: Platform, ada: ApiUser) -> dict[str, Any]:
    channel_id = add_channel(platform, int(ada.user["id"]))
    body = {"channel_id": channel_id, "topic": "How signals work", "target_duration": 30}
    video = ada.post("/videos/generate", body)
    assert video.status_code == 202, video.text
    schedule = ada.post("/schedules", HOURLY)
    endpoint = ada.post("/webhook-endpoints", {"url": "https://hooks.example.com"}).get_json()
    delivery = ada.post(f"/webhook-endpoints/{endpoint['id']}/test").get_json()
    asked = ada.post("/privacy/export", {"password": PASSWORD})
    return {
        "request_id": asked.get_json()["id"],
        "endpoint_id": endpoint["id"],
        "delivery_id": delivery["delivery_id"],
        "job_id": ada.submit(),
        "user_id": ada.user["id"],
        "key_id": ada.with_key().user["key_id"],
        "channel_id": channel_id,
        "video_id": video.get_json()["video_id"],
        "schedule_id": schedule.get_json()["id"],
        "name": "diagnostics.echo",
        "provider": "google",
        "call_id": add_call(platform, int(ada.user["id"]), state="ringing"),
        "operation_id": UNKNOWN_ID,
        "module_name": "clock",
        "module_id": "clock",
        "instance_id": add_module(platform, "clock", wanted="stopped")[0],
        "repository_id": add_far_repository(platform),
    }


def taken(names: set[str], things: Mapping[str, Any]) -> dict[str, Any]:
    return {name: things[name] for name in names}


def send(user: ApiUser, route: Route, body: Any = None) -> Any:
    return user.client.open(
        route.path, method=route.method, headers=dict(user.credentials), json=body
    )


def test_the_table_names_every_route(routes: list[Route]) -> None:
    assert {route.endpoint for route in routes} == set(ANOTHERS) | set(OWN)
    assert set(ANOTHERS).isdisjoint(OWN)


def test_a_row_stands_for_one_method(application: Flask) -> None:
    methods: dict[str, set[str]] = {}
    for rule in application.url_map.iter_rules():
        methods.setdefault(rule.endpoint, set()).update(
            (rule.methods or set()) - {"HEAD", "OPTIONS"}
        )
    assert [name for name, found in methods.items() if len(found) != 1] == []


def test_every_other_route_lets_nobody_in(application: Flask, nobody: ApiUser) -> None:
    adapter = application.url_map.bind("localhost")
    words = {"provider": "google", "token": "none", "name": "none", "carrier": "none"}
    for endpoint in sorted(PUBLIC):
        rule = next(application.url_map.iter_rules(endpoint))
        method = next(iter((rule.methods or set()) - {"HEAD", "OPTIONS"}))
        path = adapter.build(endpoint, taken(rule.arguments, words), method)
        answer = nobody.client.open(path, method=method, json={} if method == "POST" else None)
        assert answer.status_code in {200, 404, 422, 426}, (endpoint, answer.status_code)


def test_whoever_may_not_get_may_not_ask_for_the_head_either(
    routes: list[Route], nobody: ApiUser
) -> None:
    for route in [route for route in routes if route.method == "GET"]:
        answer = nobody.client.head(route.path)
        assert (answer.status_code, answer.data) == (401, b""), route


def test_nobody_gets_401_from_every_guarded_route(routes: list[Route], nobody: ApiUser) -> None:
    for route in routes:
        answer = send(nobody, route)
        assert error_of(answer, 401)["code"] == "NOT_AUTHENTICATED", route
        assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "credentials",
    [
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Bearer swk_" + "x" * 40},
        {"Authorization": "Basic YWRhOmFkYQ=="},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer \u00e4"},
        {"X-API-Key": "nonsense"},
    ],
)
def test_wrong_credentials_are_401(nobody: ApiUser, credentials: dict[str, str]) -> None:
    error_of(nobody.get("/jobs", headers=credentials), 401)


def test_somebody_else_finds_nothing_of_adas(routes: list[Route], bob: ApiUser) -> None:
    for route in [route for route in routes if route.endpoint in ANOTHERS]:
        status, body = ANOTHERS[route.endpoint]
        error_of(send(bob, route, body), status)


def test_an_ordinary_user_gets_what_the_table_says(routes: list[Route], bob: ApiUser) -> None:
    own = [route for route in routes if route.endpoint in OWN]
    for route in sorted(own, key=lambda route: route.endpoint == "accounts.logout"):
        status, body = OWN[route.endpoint]
        assert send(bob, route, body).status_code == status, route


def test_the_owner_is_let_through_where_others_are_not(routes: list[Route], ada: ApiUser) -> None:
    for route in routes:
        if route.endpoint in ANOTHERS and route.method == "GET" and "artifact" not in route.path:
            assert send(ada, route).status_code in {200, 406}, route


def test_an_operator_reads_everybodys_jobs(ada: ApiUser, bob: ApiUser, admin: ApiUser) -> None:
    job_id = ada.submit()
    assert admin.get(f"/jobs/{job_id}").status_code == 200
    listed = admin.get("/jobs?all=true").get_json()["items"]
    assert [job["job_id"] for job in listed] == [job_id]
    assert admin.get("/jobs").get_json()["items"] == []
    error_of(bob.get("/jobs?all=true"), 403)


def test_an_operators_operation_is_refused_to_others(ada: ApiUser, admin: ApiUser) -> None:
    body = {"operation": "housekeeping.purge"}
    error = error_of(ada.post("/jobs", body), 403)
    assert error["details"] == {"permission": "housekeeping:run"}
    assert admin.post("/jobs", body).status_code == 202


def test_a_route_without_a_permission_stops_the_start(platform: Platform) -> None:
    app = empty_app()
    add_routes(app)
    app.add_url_rule("/bare", "bare", lambda: "")
    with pytest.raises(ConfigurationError, match=r"declare no permission.*: bare"):
        guard(app, Credentials(platform))


def test_a_permission_that_no_role_has_stops_the_start(platform: Platform) -> None:
    app = empty_app()
    add_routes(app)
    app.add_url_rule("/odd", "odd", requires("signals:pull")(lambda: ""))
    with pytest.raises(ConfigurationError, match="no role has: odd"):
        guard(app, Credentials(platform))


def test_every_declared_permission_is_shown_in_the_document(
    application: Flask, client: Any
) -> None:
    document = client.get("/api/openapi.json").get_json()
    shown = [
        operation.get("x-permission")
        for path in document["paths"].values()
        for method, operation in path.items()
        if method in {"get", "post", "patch", "put", "delete"}
        and not operation["operationId"].endswith("_deprecated")  # the same at another address
    ]
    assert len([name for name in shown if name]) == len(declarations(application))
