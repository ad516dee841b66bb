"""Which repositories there are, and what they offer."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api import ApiUser, error_of
from module_repositories import ServerModule, make_repository
from module_rows import add_module, add_repository, add_unread
from offered import entry, offer
from statements import counted
from stellwerk.bootstrap import Platform
from stellwerk.choices import Mode
from stellwerk.errors import ProviderRejected, ProviderUnavailable
from stellwerk.modules import indices
from stellwerk.providers.repositories.signatures import SigningKey
from stellwerk_api.app import create_app

HTTPS = {"name": "far", "kind": "https", "location": "https://modules.example.com/stable"}


def local(folder: Path, **fields: Any) -> dict[str, Any]:
    return {"name": folder.name, "kind": "file", "location": str(folder), **fields}


def test_a_folder_that_is_added_is_read_at_once(admin: ApiUser, tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "near", ServerModule("clock"), ServerModule("echo"))
    added = admin.post("/repositories", local(folder))
    assert added.status_code == 201, added.text
    said = added.get_json()
    assert (said["modules"], said["versions"], said["reachable"]) == (2, 2, True)
    assert (said["categories"], said["stale"], said["sync_job_id"]) == ({"tests": 2}, False, None)
    assert admin.get(f"/repositories/{said['id']}").get_json()["name"] == "near"


def test_one_that_cannot_be_read_is_there_and_says_why(admin: ApiUser, tmp_path: Path) -> None:
    said = admin.post("/repositories", local(tmp_path)).get_json()
    assert (said["reachable"], said["stale"], said["modules"]) == (False, True, 0)
    assert said["error"]


def test_an_address_that_is_added_is_read_by_a_job(admin: ApiUser) -> None:
    said = admin.post("/repositories", HTTPS).get_json()
    job = admin.get(f"/jobs/{said['sync_job_id']}").get_json()
    assert (job["operation"], said["reachable"]) == ("modules.sync", None)
    again = error_of(admin.post(f"/repositories/{said['id']}/sync"), 409)
    assert again["details"]["job_id"] == said["sync_job_id"]


def test_one_that_is_sent_again_is_added_once(admin: ApiUser, tmp_path: Path) -> None:
    make_repository(tmp_path / "near", ServerModule("clock"))
    for body in (HTTPS, local(tmp_path / "near")):
        key = {"Idempotency-Key": body["name"]}
        first, again = (admin.post("/repositories", body, headers=key) for _ in range(2))
        assert (first.status_code, again.status_code) == (201, 201), again.text
        assert again.headers["Idempotency-Replayed"] == "true"
        assert again.get_json() == first.get_json()
    assert len(admin.get("/repositories").get_json()["items"]) == 2


def test_a_key_for_other_operations_adds_none(admin: ApiUser) -> None:
    error_of(admin.with_key(scopes=["calls.*"]).post("/repositories", HTTPS), 403)
    assert admin.get("/repositories").get_json() == {"items": []}
    assert admin.with_key(scopes=["modules.*"]).post("/repositories", HTTPS).status_code == 201


@pytest.mark.parametrize(
    "change",
    [
        {"location": "http://modules.example.com"},
        {"location": "https://ada:secret@modules.example.com"},
        {"location": "https://modules.example.com/?a=b"},
        {"location": "https://"},
        {"location": "https://[::1"},
        {"kind": "file", "location": "modules"},
        {"kind": "file", "location": "/no/such/folder"},
        {"kind": "ftp"},
        {"public_key": "not a key"},
        {"public_key": "AAAA"},
        {"name": ""},
    ],
)
def test_one_that_cannot_be_is_refused(admin: ApiUser, change: dict[str, Any]) -> None:
    error = error_of(admin.post("/repositories", HTTPS | change), 422)
    assert error["details"]["field"] in change
    assert admin.get("/repositories").get_json() == {"items": []}


def test_a_name_is_given_once(admin: ApiUser) -> None:
    admin.post("/repositories", HTTPS)
    error_of(admin.post("/repositories", HTTPS), 409)


def test_production_takes_those_with_a_key_alone(platform: Platform, admin: ApiUser) -> None:
    settings = platform.settings.model_copy(update={"mode": Mode.PRODUCTION})
    runtime = replace(platform.runtime, settings=settings)
    there = replace(admin, client=create_app(replace(platform, runtime=runtime)).test_client())
    error = error_of(there.post("/repositories", HTTPS), 422)
    assert error["code"] == "UNSIGNED_REPOSITORY"
    signed = HTTPS | {"public_key": SigningKey.new().public_key}
    assert there.post("/repositories", signed).status_code == 201


def test_one_that_modules_are_from_stays(
    platform: Platform, admin: ApiUser, tmp_path: Path
) -> None:
    repository_id = add_repository(platform, tmp_path / "near", ServerModule("clock"))
    add_module(platform, "clock", repository_id=repository_id, wanted="stopped")
    error = error_of(admin.send("DELETE", f"/repositories/{repository_id}"), 409)
    assert (error["code"], error["details"]) == ("REPOSITORY_IN_USE", {"modules": ["clock"]})


@pytest.mark.parametrize("named", [True, False])
def test_one_that_an_operation_may_take_from_stays(
    platform: Platform, admin: ApiUser, tmp_path: Path, *, named: bool
) -> None:
    near, other = (
        add_repository(platform, tmp_path / name, ServerModule("clock")) for name in ("near", "far")
    )
    wanted = {"module_name": "clock", "repository_id": near if named else None}
    job_id = admin.post("/repository/install", wanted).get_json()["job_id"]
    error = error_of(admin.send("DELETE", f"/repositories/{near}"), 409)
    assert (error["code"], error["details"]) == ("REPOSITORY_IN_USE", {"modules": ["clock"]})
    if named:
        assert admin.send("DELETE", f"/repositories/{other}").status_code == 204
    admin.post(f"/jobs/{job_id}/cancel")
    assert admin.send("DELETE", f"/repositories/{near}").status_code == 204


def test_one_that_nothing_is_from_goes(platform: Platform, admin: ApiUser, tmp_path: Path) -> None:
    repository_id = add_repository(platform, tmp_path / "near", ServerModule("clock"))
    assert admin.send("DELETE", f"/repositories/{repository_id}").status_code == 204
    error_of(admin.get(f"/repositories/{repository_id}"), 404)
    error_of(admin.send("DELETE", f"/repositories/{repository_id}"), 404)
    error_of(admin.post(f"/repositories/{repository_id}/sync"), 404)


def test_modules_are_offered_with_their_versions_and_what_is_installed(
    platform: Platform, bob: ApiUser, tmp_path: Path
) -> None:
    versions = [ServerModule("clock", version) for version in ("1.0.0", "1.10.0", "1.9.0")]
    repository_id = add_repository(platform, tmp_path / "near", *versions, ServerModule("echo"))
    add_module(platform, "clock", repository_id=repository_id, wanted="stopped")
    clock, echo = bob.get("/repository/modules").get_json()["items"]
    assert (clock["version"], clock["versions"]) == ("1.10.0", ["1.10.0", "1.9.0", "1.0.0"])
    assert (clock["installed_version"], clock["update_available"]) == ("1.0.0", True)
    assert (echo["installed"], echo["update_available"], echo["stale"]) == (False, False, False)
    assert (echo["repository"], echo["repository_id"]) == ("near", repository_id)
    (listed,) = bob.get("/modules").get_json()["items"]
    assert (listed["newest_version"], listed["update_available"]) == ("1.10.0", True)
    (near,) = bob.get("/repository/list").get_json()["items"]
    assert (near["modules"], near["versions"], near["installed"]) == (2, 4, 1)


def test_modules_are_searched(platform: Platform, bob: ApiUser, tmp_path: Path) -> None:
    near, far = (
        add_repository(platform, tmp_path / name, ServerModule("clock", category=name), echo)
        for name, echo in (("near", ServerModule("echo")), ("far", ServerModule("Echo2")))
    )

    def found(query: str) -> list[tuple[str, int]]:
        items = bob.get(f"/repository/modules?{query}").get_json()["items"]
        return [(one["name"], one["repository_id"]) for one in items]

    assert found("") == [("clock", near), ("clock", far), ("echo", near), ("Echo2", far)]
    assert found(f"repository_id={far}&q=ECHO") == [("Echo2", far)]
    assert found("category=near") == [("clock", near)]
    assert found("installed=true") == []
    assert len(found("installed=false")) == 4
    error_of(bob.get("/repository/modules?repository_id=4711"), 404)


def test_offers_are_paged(platform: Platform, bob: ApiUser, tmp_path: Path) -> None:
    names = ["alpha", "beta", "gamma"]
    add_repository(platform, tmp_path / "near", *map(ServerModule, names))
    first = bob.get("/repository/modules?limit=2").get_json()
    rest = bob.get(f"/repository/modules?limit=2&cursor={first['next_cursor']}").get_json()
    assert [one["name"] for one in first["items"] + rest["items"]] == names
    assert rest["next_cursor"] is None


def test_a_folder_that_is_gone_is_offered_as_last_read_and_marked(
    platform: Platform, bob: ApiUser, tmp_path: Path
) -> None:
    near = add_repository(platform, tmp_path / "near", ServerModule("clock"))
    assert not bob.get("/repository/modules").get_json()["items"][0]["stale"]
    (tmp_path / "near").rename(tmp_path / "elsewhere")
    with pytest.raises(ProviderUnavailable):
        indices.sync(platform.runtime, near)
    (clock,) = bob.get("/repository/modules").get_json()["items"]
    assert (clock["name"], clock["stale"]) == ("clock", True)
    (listed,) = bob.get("/repositories").get_json()["items"]
    assert (listed["reachable"], listed["stale"]) == (False, True)


def test_whoever_looks_waits_for_no_repository_but_the_samples(
    platform: Platform, bob: ApiUser, tmp_path: Path
) -> None:
    make_repository(tmp_path / "near", ServerModule("clock"))
    add_unread(platform, "near", str(tmp_path / "near"))
    add_unread(platform, "samples", indices.SHIPPED)
    with ThreadPoolExecutor(4) as threads:  # as many at once as like: one of them reads
        list(threads.map(indices.read_samples, [platform.runtime] * 4))
    offered = bob.get("/repository/modules").get_json()["items"]
    assert {one["repository"] for one in offered} == {"samples"}
    near, samples = bob.get("/repositories").get_json()["items"]
    assert (near["reachable"], near["tried_at"]) == (None, None)
    assert (samples["reachable"], samples["modules"]) == (True, len(offered))
    with platform.runtime.sessions() as session:
        due = indices.stale(session, platform.settings.module_index_ttl_s)
    assert list(due) == [near["id"]]


def test_a_page_of_many_modules_is_made_of_these_alone(platform: Platform, bob: ApiUser) -> None:
    names = [f"module-{number:04}" for number in range(600)]
    versions = [entry(name, version) for name in names for version in ("1.0.0", "1.1.0")]
    offer(platform, "large", *versions)
    with counted(platform.engine) as read:
        page = bob.get("/repository/modules?limit=10").get_json()
        bob.get("/repositories")
        bob.get("/modules")
    assert [one["name"] for one in page["items"]] == names[:10]
    assert page["items"][0]["versions"] == ["1.1.0", "1.0.0"]
    assert read.most_rows == 22  # versions of these, and of the one that tells of a next page


def test_what_a_repository_has_no_more_is_offered_no_more(
    platform: Platform, bob: ApiUser, tmp_path: Path
) -> None:
    near = add_repository(platform, tmp_path / "near", ServerModule("clock"), ServerModule("echo"))
    shutil.rmtree(tmp_path / "near")
    make_repository(tmp_path / "near", ServerModule("clock", "2.0.0"))
    assert indices.sync(platform.runtime, near)
    (clock,) = bob.get("/repository/modules").get_json()["items"]
    assert (clock["name"], clock["versions"]) == ("clock", ["2.0.0"])
    (listed,) = bob.get("/repositories").get_json()["items"]
    assert (listed["modules"], listed["versions"], listed["categories"]) == (1, 1, {"tests": 1})
    assert not indices.sync(platform.runtime, near)


def test_a_signed_index_that_was_replaced_is_not_taken_again(
    platform: Platform, admin: ApiUser, tmp_path: Path
) -> None:
    near, kept, key = tmp_path / "near", tmp_path / "kept", SigningKey.new()
    make_repository(near, ServerModule("clock"), key=key)
    added = admin.post("/repositories", local(near, public_key=key.public_key)).get_json()
    shutil.copytree(near, kept)
    make_repository(near, ServerModule("clock", "2.0.0"), key=key)
    assert indices.sync(platform.runtime, added["id"])
    shutil.copytree(kept, near, dirs_exist_ok=True)
    with pytest.raises(ProviderRejected, match="is older than the one") as raised:
        indices.sync(platform.runtime, added["id"])
    assert raised.value.details == {"reason": "older"}
    (clock,) = admin.get("/repository/modules").get_json()["items"]
    assert (clock["versions"][0], clock["stale"]) == ("2.0.0", True)
    make_repository(near, ServerModule("clock", "3.0.0"), key=key)  # by its owner, from the old one
    assert indices.sync(platform.runtime, added["id"])
