"""Old and other addresses answer as the canonical ones do, without a redirect."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask

from api import ApiUser, error_of
from stellwerk.bootstrap import Platform
from stellwerk.errors import ConfigurationError
from stellwerk_api.aliases import ALIASES, Alias, Deprecation, add_aliases, add_deprecated
from stellwerk_api.app import add_routes, create_app, empty_app

OLD = Alias(
    "/old/jobs",
    "/api/v1/jobs",
    status="/old/job-status/{job_id}",
    deprecation=Deprecation(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 7, 1, tzinfo=UTC)),
)


def test_every_alias_leads_to_routes_of_its_own(application: Flask) -> None:
    rules = {rule.rule: rule.endpoint for rule in application.url_map.iter_rules()}
    for alias in [alias for alias in ALIASES if not alias.is_route]:
        reached = {written: rules[written] for rule in rules if (written := alias.leads_to(rule))}
        assert reached, alias
        for written, endpoint in reached.items():
            canonical = alias.target + written.removeprefix(alias.path)
            assert rules[canonical] == endpoint


def test_the_page_about_them_lists_every_alias() -> None:
    page = (Path(__file__).parents[2] / "docs" / "compatibility.md").read_text()
    listed = set(re.findall(r"^\| `(.+?)` \| `(.+?)` \| (\w+) \|$", page, re.MULTILINE))
    assert listed == {
        (
            alias.path + ("" if alias.exact else "*"),
            alias.target + ("" if alias.exact else "*"),
            "deprecated" if alias.deprecation else "permanent",
        )
        for alias in ALIASES
    }


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("path", ["/api/health", "/api/version", "/api/users/me", "/api/auth/me"])
def test_an_alias_answers_as_its_target_does(ada: ApiUser, path: str, slash: str) -> None:
    by_alias = ada.client.get(path + slash, headers=dict(ada.credentials))
    canonical = ada.client.get(path.replace("/api", "/api/v1"), headers=dict(ada.credentials))
    assert by_alias.status_code == canonical.status_code == 200
    assert by_alias.get_json() == canonical.get_json()
    assert "Deprecation" not in by_alias.headers


@pytest.mark.parametrize("path", ["/admin/users", "/api/v1/admin/users", "/admin/users/"])
def test_accounts_are_listed_to_administrators_below_admin_too(
    admin: ApiUser, bob: ApiUser, path: str
) -> None:
    found = admin.client.get(path, headers=dict(admin.credentials))
    assert found.get_json() == admin.get("/users").get_json()
    error_of(bob.client.get(path, headers=dict(bob.credentials)), 403)


@pytest.mark.parametrize("path", ["/auth", "/privacy/delete", "/privacy/export", "/admin/config"])
def test_what_is_posted_by_an_alias_is_what_its_target_takes(nobody: ApiUser, path: str) -> None:
    target = {"/auth": "/auth/nextcloud"}.get(path, path)
    by_alias = nobody.client.post(path, json={})
    canonical = nobody.post(target, {})
    assert by_alias.status_code == canonical.status_code in {401, 422}
    codes = {answer.get_json()["error"]["code"] for answer in (by_alias, canonical)}
    assert len(codes) == 1


def test_an_exact_alias_takes_nothing_below_it(nobody: ApiUser) -> None:
    error_of(nobody.client.get("/api/health/live"), 404)


@pytest.mark.parametrize(
    "path", ["/api/users/me", "/auth/google", "/privacy/requests", "/admin/config"]
)
def test_an_alias_asks_for_the_same_rights(nobody: ApiUser, path: str) -> None:
    by_alias = nobody.client.get(path)
    canonical = nobody.client.get("/api/v1" + path.removeprefix("/api"))
    assert by_alias.status_code == canonical.status_code >= 400
    codes = {answer.get_json()["error"]["code"] for answer in (by_alias, canonical)}
    assert len(codes) == 1


@pytest.fixture
def old(platform: Platform, ada: ApiUser) -> ApiUser:
    return replace(ada, client=create_app(platform, (*ALIASES, OLD)).test_client())


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_deprecated_alias_says_so_and_names_its_successor(old: ApiUser, slash: str) -> None:
    answer = old.client.get(f"/old/jobs{slash}", headers=dict(old.credentials))
    assert answer.status_code == 200
    assert answer.headers["Deprecation"] == "@1767225600"
    assert answer.headers["Sunset"] == "Thu, 01 Jul 2027 00:00:00 GMT"
    assert f'</api/v1/jobs{slash}>; rel="successor-version"' in answer.headers.getlist("Link")
    canonical = old.get("/jobs")
    assert {"Deprecation", "Sunset"}.isdisjoint(canonical.headers)


def test_a_job_submitted_by_an_alias_is_looked_at_by_it(old: ApiUser) -> None:
    body = {"operation": "diagnostics.echo"}
    answer = old.client.post("/old/jobs", json=body, headers=dict(old.credentials))
    said = answer.get_json()
    assert said["status_url"] == f"/old/job-status/{said['job_id']}" == answer.headers["Location"]
    links = answer.headers.getlist("Link")
    assert [link for link in links if link.endswith('rel="monitor"')]
    canonical = old.post("/jobs", {**body, "tags": ["by-flask"]}).get_json()
    assert canonical["status_url"] == f"/api/v1/jobs/{canonical['job_id']}"


def test_the_same_key_is_the_same_request_by_either_address(old: ApiUser) -> None:
    sent = {"Idempotency-Key": "once", **old.credentials}
    body = {"operation": "diagnostics.echo"}
    first = old.client.post("/old/jobs", json=body, headers=sent).get_json()
    again = old.client.post("/api/v1/jobs", json=body, headers=sent)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.get_json()["job_id"] == first["job_id"]


def test_the_document_marks_deprecated_aliases(application: Flask) -> None:
    document = application.test_client().get("/api/openapi.json").get_json()
    add_deprecated(document, (OLD,))
    operation = document["paths"]["/old/jobs/{job_id}"]["get"]
    canonical = document["paths"]["/api/v1/jobs/{job_id}"]["get"]
    assert operation["deprecated"]
    assert "deprecated" not in canonical
    assert operation["operationId"] != canonical["operationId"]


def test_an_alias_that_leads_nowhere_stops_the_start() -> None:
    app = empty_app()
    add_routes(app)
    with pytest.raises(ConfigurationError, match="/nowhere leads to no route"):
        add_aliases(app, (Alias("/nowhere", "/api/v1/nowhere"),))
