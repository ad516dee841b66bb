"""Modules by their other addresses, and names that no module may take from the platform."""

from pathlib import Path

import pytest
from flask import Flask

from api import UNKNOWN_ID, ApiUser, error_of
from module_repositories import ServerModule
from module_rows import add_module, add_repository
from stellwerk.bootstrap import Platform
from stellwerk.modules.names import RESERVED, is_name


def test_no_module_can_be_called_as_an_address_of_ours_begins(application: Flask) -> None:
    begins = {rule.rule.split("/")[1] for rule in application.url_map.iter_rules()} - {""}
    assert begins <= RESERVED
    assert not any(is_name(name) for name in begins)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/api/modules", "/api/v1/modules"),
        ("/api/modules/clock", "/api/v1/modules/primary/clock"),
        ("/api/modules/clock/", "/api/v1/modules/primary/clock/"),
    ],
)
def test_what_older_clients_read_says_what_follows_it(
    platform: Platform, bob: ApiUser, old: str, new: str
) -> None:
    add_module(platform, "clock", wanted="stopped")
    answer = bob.client.get(old, headers=bob.credentials)
    assert answer.status_code == 200
    assert answer.get_json() == bob.client.get(new, headers=bob.credentials).get_json()
    assert answer.headers["Deprecation"].startswith("@")
    assert answer.headers["Sunset"].endswith("GMT")
    assert f'<{new}>; rel="successor-version"' in answer.headers.getlist("Link")


@pytest.mark.parametrize("body", [None, {}, {"version": "1.0.0", "environment": {"A": "1"}}])
def test_older_clients_install_with_and_without_a_body(
    platform: Platform, admin: ApiUser, tmp_path: Path, body: object
) -> None:
    add_repository(platform, tmp_path / "near", ServerModule("clock"))
    admin.get("/repository/list")
    answer = admin.client.post("/api/install/clock", headers=admin.credentials, json=body)
    said = answer.get_json()
    assert (answer.status_code, said["module_name"]) == (202, "clock"), said
    assert '</api/v1/repository/install>; rel="successor-version"' in answer.headers.getlist("Link")
    assert {"Deprecation", "Sunset"} <= set(answer.headers.keys())
    assert said["status_url"] == f"/api/v1/repository/install/status/{said['operation_id']}"
    error = error_of(admin.client.post("/api/install/clock", headers=admin.credentials), 409)
    assert error["code"] == "MODULE_BUSY"
    assert error["details"]["operation_id"] == said["operation_id"]


def test_an_operation_is_looked_at_below_the_address_it_came_by(
    platform: Platform, admin: ApiUser
) -> None:
    (instance_id,) = add_module(platform, "clock", wanted="stopped")
    path = f"/modules/instance/clock/{instance_id}/start"
    said = admin.client.post(path, headers=admin.credentials).get_json()
    assert said["status_url"] == f"/modules/status/{said['operation_id']}"
    shown = admin.client.get(said["status_url"], headers=admin.credentials).get_json()
    assert (shown["status"], shown["status_url"]) == ("queued", said["status_url"])
    canonical = admin.get(f"/modules/status/{said['operation_id']}").get_json()
    assert canonical["status_url"] == f"/api/v1/modules/status/{said['operation_id']}"


def test_a_cancelled_operation_has_failed_and_says_so(platform: Platform, admin: ApiUser) -> None:
    (instance_id,) = add_module(platform, "clock", wanted="stopped")
    job_id = admin.post(f"/modules/instance/clock/{instance_id}/start").get_json()["job_id"]
    assert admin.post(f"/jobs/{job_id}/cancel").status_code == 202
    shown = admin.get(f"/modules/status/{job_id}").get_json()
    assert (shown["status"], shown["error"]["code"]) == ("failed", "JOB_CANCELLED")
    assert shown["message"] == "The job was cancelled while no worker had it."
    again = admin.post(f"/modules/instance/clock/{instance_id}/start")
    assert again.status_code == 202


@pytest.mark.parametrize("page", ["/modules/status", "/repository/install/status"])
def test_a_job_that_is_none_of_modules_is_no_operation(
    admin: ApiUser, bob: ApiUser, page: str
) -> None:
    error_of(bob.get(f"{page}/{bob.submit()}"), 404)
    error_of(admin.get(f"{page}/{UNKNOWN_ID}"), 404)


def test_what_somebody_had_done_is_for_operators(
    platform: Platform, admin: ApiUser, bob: ApiUser
) -> None:
    (instance_id,) = add_module(platform, "clock", wanted="stopped")
    job_id = admin.post(f"/modules/instance/clock/{instance_id}/start").get_json()["job_id"]
    error_of(bob.get(f"/modules/status/{job_id}"), 404)
