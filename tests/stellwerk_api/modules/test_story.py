"""A module from its installation to its end, through the API, with real workers and services."""

from pathlib import Path
from typing import Any

import pytest

from api import ApiUser, error_of
from embedded import wait_until
from installations import Installations
from module_repositories import ServerModule, make_repository
from results import assert_result_fits
from stellwerk.jobs.submission import Submission, submit

pytestmark = pytest.mark.xdist_group("modules")

ENDED = {"completed", "failed"}
SOON_ILL = {"path": "/health", "interval_s": 1, "retries": 1, "start_period_s": 1}


def ended(user: ApiUser, answer: Any) -> dict[str, Any]:
    """The operation that was accepted, once it has ended."""
    assert answer.status_code == 202, answer.text
    accepted = answer.get_json()
    assert accepted["operation_id"] == accepted["job_id"]
    found: dict[str, Any] = {}

    def is_over() -> bool:
        found.update(user.client.get(accepted["status_url"], headers=user.credentials).get_json())
        return found["status"] in ENDED

    wait_until(is_over, timeout_s=60)
    if found["status"] == "completed":
        assert_result_fits(user.get(f"/jobs/{found['job_id']}").get_json())
    return found


def installed(user: ApiUser, name: str) -> str:
    done = ended(user, user.post("/repository/install", {"module_name": name}))
    assert (done["status"], done["progress"]) == ("completed", 100), done
    return str(done["result"]["instance_id"])


@pytest.fixture
def offers(modules: Installations, tmp_path: Path) -> Path:
    """A repository with a module, and one that never becomes healthy."""
    folder = tmp_path / "near"
    make_repository(
        folder, ServerModule("pulse"), ServerModule("ill", healthy=False, health=SOON_ILL)
    )
    modules.offer(folder)
    return folder


def test_a_module_is_installed_configured_restarted_and_removed(
    modules: Installations, offers: Path, admin: ApiUser
) -> None:
    del offers
    instance_id = installed(admin, "pulse")
    one = f"/modules/instance/pulse/{instance_id}"
    shown = admin.get(one).get_json()
    assert (shown["status"], shown["health"], shown["is_primary"]) == ("running", "healthy", True)
    assert shown["path"].endswith(f"pulse_{instance_id}")
    assert shown["started_at"]
    error = error_of(admin.post("/repository/install", {"module_name": "pulse"}), 409)
    assert error["code"] == "MODULE_INSTALLED"

    logs = admin.get(f"{one}/logs?tail=5").get_json()
    assert isinstance(logs["lines"], list)
    assert admin.get(f"{one}/logs?cursor={logs['cursor']}").get_json()["lines"] == []

    body = {"secrets": {"TOKEN": "hush"}}
    assert admin.send("PATCH", f"{one}/environment", json=body).get_json()["needs_restart"]
    assert ended(admin, admin.post(f"{one}/restart"))["status"] == "completed"
    assert ended(admin, admin.post(f"{one}/stop"))["status"] == "completed"
    assert admin.get(one).get_json()["status"] == "stopped"
    assert ended(admin, admin.post(f"{one}/start"))["status"] == "completed"
    assert admin.get(one).get_json()["status"] == "running"
    assert error_of(admin.send("DELETE", one), 409)["code"] == "INSTANCE_IS_PRIMARY"

    gone = ended(admin, admin.send("DELETE", "/repository/uninstall/pulse?data=drop"))
    assert (gone["status"], gone["module_name"]) == ("completed", "pulse")
    error_of(admin.get(one), 404)
    assert admin.get("/modules/orphans").get_json() == {"items": []}
    assert modules.is_tidy()


def test_an_installation_that_failed_says_where_and_what_was_undone(
    modules: Installations, offers: Path, admin: ApiUser
) -> None:
    del offers
    failed = ended(admin, admin.post("/repository/install", {"module_name": "ill"}))
    assert (failed["status"], failed["failed_step"]) == ("failed", "health")
    assert failed["undone"] == ["create service", "unpack", "download", "resolve"]
    assert failed["error"]["code"] == "MODULE_UNHEALTHY"
    assert failed["message"].startswith("health: ill 1.0.0 ")
    assert failed["message"].endswith("Undone: create service, unpack, download, resolve.")
    assert admin.get("/modules").get_json()["items"] == []
    assert modules.is_tidy()


def test_two_instances_change_places(modules: Installations, offers: Path, admin: ApiUser) -> None:
    del modules, offers
    first = installed(admin, "pulse")
    added = ended(admin, admin.post("/modules/install-instance", {"module_name": "pulse"}))
    second = added["result"]["instance_id"]
    assert admin.post(f"/modules/primary/pulse/{second}").status_code == 200
    assert admin.get("/modules/primary/pulse").get_json()["instance_id"] == second
    removed = ended(admin, admin.send("DELETE", f"/modules/instance/pulse/{first}"))
    assert removed["status"] == "completed"
    (left,) = admin.get("/modules/instances").get_json()["items"]
    assert (left["instance_id"], left["is_primary"]) == (second, True)


def test_a_newer_version_is_found_and_runs_in_place_of_the_old_one(
    modules: Installations, offers: Path, admin: ApiUser
) -> None:
    instance_id = installed(admin, "pulse")
    error = error_of(admin.post("/modules/update", {"module_name": "pulse"}), 409)
    assert error["code"] == "MODULE_UP_TO_DATE"
    make_repository(offers, ServerModule("pulse", "1.1.0"))
    (near,) = admin.get("/repositories").get_json()["items"]
    synced = ended(admin, admin.post(f"/repositories/{near['id']}/sync"))
    assert (synced["module_name"], synced["result"]["changed"]) == (None, True)
    (listed,) = admin.get("/modules").get_json()["items"]
    assert (listed["newest_version"], listed["update_available"]) == ("1.1.0", True)
    assert ended(admin, admin.post("/modules/update", {"module_name": "pulse"}))["progress"] == 100
    shown = admin.get("/modules/primary/pulse").get_json()
    assert (shown["version"], shown["status"]) == ("1.1.0", "running")
    assert shown["instance_id"] == instance_id
    wanted = Submission("modules.reconcile", {}, owner_id=None)
    job_id = submit(modules.platform.runtime, wanted)
    (result,) = modules.completed(job_id)
    assert (result["instances"], result["failed"], result["orphans"]) == (1, [], [])
    assert_result_fits(admin.get(f"/jobs/{job_id}").get_json())
