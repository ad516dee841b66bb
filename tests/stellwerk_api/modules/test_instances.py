"""Modules and their instances, as clients see them, and what is changed of them at once."""

from typing import Any

import pytest
from sqlalchemy import select, update

from api import ApiUser, error_of
from module_rows import add_module, let_run
from stellwerk.bootstrap import Platform
from stellwerk.modules import watching
from stellwerk.modules.model import Module, ModuleInstance
from stellwerk.modules.services import environment_of
from stellwerk.providers.services.protocol import ServiceStatus

UNKNOWN = "0" * 32


def environment(user: ApiUser, instance_id: str, **changes: Any) -> Any:
    path = f"/modules/instance/clock/{instance_id}/environment"
    return user.send("PATCH", path, json=changes).get_json()


def test_a_running_instance_is_shown_as_the_runtime_sees_it(
    platform: Platform, bob: ApiUser
) -> None:
    (instance_id,) = add_module(platform, "clock", status="error", message="of old")
    let_run(platform, "clock", [instance_id])
    (shown,) = bob.get("/modules/instances").get_json()["items"]
    assert (shown["status"], shown["health"], shown["message"]) == ("running", "healthy", "")
    assert (shown["instance_id"], shown["frontend_url"]) == (instance_id, "/clock/")
    assert shown["is_primary"]


def test_an_unhealthy_one_is_in_error_and_says_why(platform: Platform, bob: ApiUser) -> None:
    (instance_id,) = add_module(platform, "clock")
    let_run(platform, "clock", [instance_id], ServiceStatus.UNHEALTHY)
    shown = bob.get(f"/modules/instance/clock/{instance_id}").get_json()
    assert (shown["status"], shown["health"]) == ("error", "unhealthy")
    assert shown["message"] == "It said no."


def test_one_that_the_runtime_lost_is_in_error(platform: Platform, bob: ApiUser) -> None:
    (instance_id,) = add_module(platform, "clock")
    watching.show(platform.runtime, {})
    shown = bob.get("/modules/primary/clock").get_json()
    assert (shown["instance_id"], shown["status"]) == (instance_id, "error")
    assert "knows nothing" in shown["message"]


def test_a_stopped_one_is_stopped_whatever_the_runtime_says(
    platform: Platform, bob: ApiUser
) -> None:
    ids = add_module(platform, "clock", wanted="stopped")
    let_run(platform, "clock", ids)
    assert bob.get("/modules/primary/clock").get_json()["status"] == "stopped"


def test_instances_are_filtered_and_paged(platform: Platform, bob: ApiUser) -> None:
    clocks = add_module(platform, "clock", number=3)
    echoes = add_module(platform, "echo", wanted="stopped")
    let_run(platform, "clock", clocks)
    first = bob.get("/modules/instances?module_name=clock&limit=2").get_json()
    rest = bob.get(
        f"/modules/instances?module_name=clock&limit=2&cursor={first['next_cursor']}"
    ).get_json()
    assert [one["instance_id"] for one in first["items"] + rest["items"]] == clocks
    assert rest["next_cursor"] is None
    (stopped,) = bob.get("/modules/instances?status=stopped").get_json()["items"]
    assert stopped["instance_id"] == echoes[0]
    error_of(bob.get("/modules/instances?status=odd"), 422)


def test_modules_are_listed_with_where_browsers_find_them(platform: Platform, bob: ApiUser) -> None:
    clocks = add_module(platform, "clock", number=2)
    add_module(platform, "echo", wanted="stopped")
    let_run(platform, "clock", clocks)
    clock, echo = bob.get("/modules").get_json()["items"]
    assert (clock["name"], echo["name"]) == ("clock", "echo")
    assert clock["frontend_url"] == f"{platform.settings.modules_base_url()}/clock/"
    assert (clock["instances"], clock["status"], echo["status"]) == (2, "running", "stopped")
    assert (clock["primary_instance_id"], clock["update_available"]) == (clocks[0], False)


@pytest.mark.parametrize("path", ["/modules/primary/clock", f"/modules/instance/clock/{UNKNOWN}"])
def test_what_is_not_installed_is_not_found(bob: ApiUser, path: str) -> None:
    error_of(bob.get(path), 404)


@pytest.mark.parametrize(
    "path",
    ["/modules/primary/-x", "/modules/primary/api", "/modules/instance/clock/no-id"],
)
def test_what_can_be_no_name_is_refused_by_its_name(bob: ApiUser, path: str) -> None:
    assert error_of(bob.get(path), 422)["details"]["field"] in {"module_name", "instance_id"}


def test_an_instance_of_another_module_is_not_found(platform: Platform, bob: ApiUser) -> None:
    (instance_id,) = add_module(platform, "clock")
    add_module(platform, "echo")
    error_of(bob.get(f"/modules/instance/echo/{instance_id}"), 404)


def test_the_log_and_the_names_of_variables_are_for_those_who_manage(
    platform: Platform, bob: ApiUser, admin: ApiUser
) -> None:
    (instance_id,) = add_module(platform, "clock", last_log="a secret", environment={"ZONE": "UTC"})
    path = f"/modules/instance/clock/{instance_id}"
    seen, managed = bob.get(path).get_json(), admin.get(path).get_json()
    assert (seen["last_log"], seen["environment"]) == ("", [])
    assert (managed["last_log"], managed["environment"]) == ("a secret", ["ZONE"])


def test_variables_and_secrets_are_set_and_removed_one_by_one(
    platform: Platform, admin: ApiUser
) -> None:
    (instance_id,) = add_module(platform, "clock", environment={"ZONE": "UTC", "OLD": "1"})
    said = environment(
        admin, instance_id, environment={"OLD": None, "NEW": "2"}, secrets={"TOKEN": "hush"}
    )
    assert said["environment"] == {"NEW": "2", "ZONE": "UTC"}
    assert (said["secrets"], said["needs_restart"]) == (["TOKEN"], True)
    assert said["defaults"] == {"GREETING": "hello"}
    with platform.runtime.sessions() as session:
        row = session.get_one(ModuleInstance, instance_id)
        assert b"hush" not in (row.secrets or b"")
        assert environment_of(platform.runtime.vault, row)["TOKEN"] == "hush"  # noqa: S105  made up


def test_a_variable_that_becomes_secret_is_not_shown_any_more(
    platform: Platform, admin: ApiUser
) -> None:
    (instance_id,) = add_module(platform, "clock", environment={"TOKEN": "hush"})
    said = environment(admin, instance_id, secrets={"TOKEN": "hush"})
    assert (said["environment"], said["secrets"]) == ({}, ["TOKEN"])
    back = environment(admin, instance_id, environment={"TOKEN": "loud"})
    assert (back["environment"], back["secrets"]) == ({"TOKEN": "loud"}, [])


def test_what_changes_nothing_needs_no_restart(platform: Platform, admin: ApiUser) -> None:
    (instance_id,) = add_module(platform, "clock", environment={"ZONE": "UTC"})
    assert not environment(admin, instance_id, environment={"ZONE": "UTC"})["needs_restart"]
    assert not environment(admin, instance_id, secrets={"NONE": None})["needs_restart"]


@pytest.mark.parametrize(
    "changes",
    [
        {"environment": {"PORT": "1"}},
        {"environment": {"no-name": "1"}},
        {"environment": {"A": "1"}, "secrets": {"A": "2"}},
        {"environment": {f"N{number}": "x" for number in range(201)}},
    ],
)
def test_variables_that_cannot_be_are_refused(
    platform: Platform, admin: ApiUser, changes: Any
) -> None:
    (instance_id,) = add_module(platform, "clock")
    path = f"/modules/instance/clock/{instance_id}/environment"
    error_of(admin.send("PATCH", path, json=changes), 422)


def test_another_running_instance_becomes_the_primary_one(
    platform: Platform, admin: ApiUser
) -> None:
    ids = add_module(platform, "clock", number=2)
    let_run(platform, "clock", ids)
    said = admin.post(f"/modules/primary/clock/{ids[1]}")
    assert said.status_code == 200, said.text
    with platform.runtime.sessions() as session:
        assert session.scalar(select(Module.primary_instance_id)) == ids[1]


@pytest.mark.parametrize("status", [ServiceStatus.UNHEALTHY, ServiceStatus.FAILED])
def test_one_that_is_ill_becomes_no_primary(
    platform: Platform, admin: ApiUser, status: ServiceStatus
) -> None:
    ids = add_module(platform, "clock", number=2)
    let_run(platform, "clock", ids, status)
    error = error_of(admin.post(f"/modules/primary/clock/{ids[1]}"), 409)
    assert "error" in error["message"]


def test_one_that_is_stopped_becomes_no_primary(platform: Platform, admin: ApiUser) -> None:
    ids = add_module(platform, "clock", number=2)
    let_run(platform, "clock", ids)
    with platform.runtime.sessions.begin() as session:
        mine = ModuleInstance.id == ids[1]
        session.execute(update(ModuleInstance).where(mine).values(wanted="stopped"))
    assert "stopped" in error_of(admin.post(f"/modules/primary/clock/{ids[1]}"), 409)["message"]
