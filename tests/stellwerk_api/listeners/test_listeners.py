"""What the realtime process asks the web process."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from api import ApiUser, error_of
from stellwerk.bootstrap import Platform


@pytest.fixture
def realtime(client: FlaskClient, platform: Platform) -> ApiUser:
    token = platform.settings.realtime_secret()
    return ApiUser(client, {"Authorization": f"Bearer {token}"})


def compared(realtime: ApiUser, **told: Any) -> Mapping[str, Any]:
    answer = realtime.post("/listeners/compare", told)
    assert answer.status_code == 200, answer.text
    said: Mapping[str, Any] = answer.get_json()
    return said


def credential(user: ApiUser) -> str:
    return str(user.get("/listeners/me").get_json()["credential"])


def test_a_session_says_whose_it_is_and_when_it_ends(ada: ApiUser) -> None:
    said = ada.get("/listeners/me").get_json()
    assert said["user_id"] == ada.user["id"]
    assert said["credential"].startswith("session:")
    ends_in = datetime.fromisoformat(said["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=50) < ends_in <= timedelta(hours=1)


def test_a_key_says_so_too_and_ends_only_where_it_was_made_to(ada: ApiUser) -> None:
    said = ada.with_key().get("/listeners/me").get_json()
    assert said["credential"].startswith("key:")
    assert said["expires_at"] is None
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
    said = ada.with_key(expires_at=tomorrow.isoformat()).get("/listeners/me").get_json()
    assert datetime.fromisoformat(said["expires_at"]) == tomorrow


def test_only_jobs_with_a_newer_version_are_told(realtime: ApiUser, ada: ApiUser) -> None:
    told, missed, unheard = ada.submit(), ada.submit(), ada.submit()
    ada.post(f"/jobs/{missed}/cancel")
    said = compared(realtime, jobs={told: 1, missed: 1, unheard: -1})
    found = {one["document"]["job_id"]: one for one in said["newer"]}
    assert set(found) == {missed, unheard}
    assert found[missed]["is_final"]
    assert found[missed]["document"]["status"] == "cancelled"
    assert found[missed]["owner_id"] == ada.user["id"]
    assert not found[unheard]["is_final"]


def test_jobs_nobody_knows_are_passed_over(realtime: ApiUser) -> None:
    assert compared(realtime, jobs={"01890000-0000-7000-8000-000000000000": 3})["newer"] == []


def test_ended_sessions_and_revoked_keys_are_told(
    realtime: ApiUser, ada: ApiUser, bob: ApiUser
) -> None:
    key = ada.with_key()
    everybody = [credential(user) for user in (ada, bob, key)]
    assert compared(realtime, credentials=everybody)["ended"] == []
    ada.send("DELETE", f"/api-keys/{key.user['key_id']}")
    ada.post("/auth/logout")
    ended = compared(realtime, credentials=everybody)["ended"]
    assert ended == sorted([everybody[0], everybody[2]])


def test_the_realtime_process_may_do_nothing_else(realtime: ApiUser, ada: ApiUser) -> None:
    error_of(realtime.get(f"/jobs/{ada.submit()}"), 403)
    error_of(realtime.get("/jobs"), 403)
    error_of(realtime.get("/metrics"), 403)


def test_a_comparison_has_its_limits(realtime: ApiUser) -> None:
    cases: list[dict[str, Any]] = [
        {"jobs": {"x": 1}},
        {"credentials": ["key:1"]},
        {"credentials": ["session:" + "-" * 36]},
        {"users": []},
    ]
    for wrong in cases:
        error_of(realtime.post("/listeners/compare", wrong), 422)


def test_without_a_token_set_nobody_is_the_realtime_process(
    client: FlaskClient, platform: Platform
) -> None:
    del platform
    nobody = ApiUser(client, {"Authorization": "Bearer "})
    error_of(nobody.post("/listeners/compare", {}), 401)


def test_plain_requests_for_the_socket_are_told_to_upgrade(nobody: ApiUser) -> None:
    for path in ("/api/v1/ws", "/ws"):
        answer = nobody.client.get(path)
        assert error_of(answer, 426)["code"] == "UPGRADE_REQUIRED"
        assert answer.headers["Upgrade"] == "websocket"
