from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from again import in_one_of_few_tries
from api import UNKNOWN_ID, ApiUser, error_of
from embedded import wait_until
from stellwerk.bootstrap import Platform
from stellwerk.identity import api_keys
from stellwerk.identity.model import ApiKey, User, UserSession
from stellwerk.identity.random_keys import key_hash
from stellwerk.identity.sessions import key_standing
from stellwerk.live.sessions import LiveSessions


def test_a_key_is_shown_once_and_stored_as_a_hash(platform: Platform, ada: ApiUser) -> None:
    made = ada.post("/api-keys", {"name": "import"}).get_json()
    assert made["key"].startswith("swk_")
    assert len(made["key"]) == 44
    assert made["key"].startswith(made["prefix"])

    listed = ada.get("/api-keys").get_json()["items"]
    assert [(key["id"], key["prefix"]) for key in listed] == [(made["id"], made["prefix"])]
    assert "key" not in listed[0]
    with platform.runtime.sessions() as session:
        assert made["key"] not in session.get_one(ApiKey, made["id"]).key_hash


def test_a_key_is_taken_in_either_header_and_its_use_is_noted(ada: ApiUser) -> None:
    key = ada.with_key()
    text = key.credentials["Authorization"].removeprefix("Bearer ")
    assert key.get("/auth/me").get_json()["id"] == ada.user["id"]
    assert ApiUser(ada.client, {"X-API-Key": text}).get("/jobs").status_code == 200
    assert ada.get("/api-keys").get_json()["items"][0]["last_used_at"]


def test_a_revoked_key_is_worth_nothing_at_once(ada: ApiUser) -> None:
    key = ada.with_key()
    assert key.get("/jobs").status_code == 200
    assert ada.send("DELETE", f"/api-keys/{key.user['key_id']}").status_code == 204
    error_of(key.get("/jobs"), 401)
    assert ada.get("/api-keys").get_json()["items"] == []


def test_a_key_that_expired_is_refused_though_redis_has_a_copy(ada: ApiUser) -> None:
    def trial() -> None:
        soon = datetime.now(UTC) + timedelta(seconds=3)
        key = ada.with_key(expires_at=soon.isoformat())
        assert key.get("/jobs").status_code == 200
        wait_until(lambda: key.get("/jobs").status_code == 401)
        assert datetime.now(UTC) >= soon

    in_one_of_few_tries(trial)


def test_a_key_follows_a_change_of_its_users_account(platform: Platform, ada: ApiUser) -> None:
    key = ada.with_key()
    assert key.get("/jobs?all=true").status_code == 403
    with platform.runtime.sessions.begin() as session:
        session.get_one(User, ada.user["id"]).role = "operator"
    wait_until(lambda: key.get("/jobs?all=true").status_code == 200)
    with platform.runtime.sessions.begin() as session:
        session.get_one(User, ada.user["id"]).is_active = False
    wait_until(lambda: key.get("/jobs").status_code == 401)


def test_a_slow_reader_cannot_put_the_copy_of_a_revoked_key_back(
    platform: Platform, ada: ApiUser
) -> None:
    key = ada.with_key()
    hashed = key_hash(key.credentials["Authorization"].removeprefix("Bearer "))
    with platform.runtime.sessions.begin() as session:
        slowly_read = key_standing(session, hashed)
    assert slowly_read
    assert ada.send("DELETE", f"/api-keys/{key.user['key_id']}").status_code == 204
    LiveSessions(platform.live_client, ttl_s=900).fill_key(hashed, slowly_read)
    error_of(key.get("/jobs"), 401)


def test_an_emptied_redis_does_not_revive_a_key(platform: Platform, ada: ApiUser) -> None:
    key = ada.with_key()
    assert key.get("/jobs").status_code == 200
    assert ada.send("DELETE", f"/api-keys/{key.user['key_id']}").status_code == 204
    platform.live_client.redis.flushdb()
    error_of(key.get("/jobs"), 401)


def test_a_key_can_make_no_keys_and_change_no_account(ada: ApiUser) -> None:
    key = ada.with_key()
    error_of(key.post("/api-keys", {"name": "more"}), 403)
    error_of(key.send("PATCH", "/users/me", json={"full_name": "Eve"}), 403)
    error_of(key.post("/auth/logout"), 403)


@pytest.mark.parametrize(
    ("scopes", "reads", "echoes", "cancels"),
    [
        ([], 200, 202, 202),
        (["read"], 200, 403, 403),
        (["write"], 403, 202, 202),
        (["diagnostics.*"], 403, 202, 403),
        (["read", "diagnostics.echo"], 200, 202, 403),
        (["read", "videos.*"], 200, 403, 403),
        (["read", "write", "videos.*"], 200, 403, 202),
    ],
)
def test_scopes_narrow_what_a_key_may_do(
    ada: ApiUser, scopes: list[str], reads: int, echoes: int, cancels: int
) -> None:
    job_id = ada.submit()
    key = ada.with_key(scopes=scopes)
    assert key.get("/jobs").status_code == reads
    assert key.post("/jobs", {"operation": "diagnostics.echo"}).status_code == echoes
    assert key.post(f"/jobs/{job_id}/cancel").status_code == cancels


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"name": ""}, "name"),
        ({"scopes": ["everything"]}, "scopes.0"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
    ],
)
def test_a_key_that_makes_no_sense_is_refused(
    ada: ApiUser, fields: dict[str, object], wrong: str
) -> None:
    error = error_of(ada.post("/api-keys", {"name": "x", **fields}), 422)
    assert error["details"]["field"] == wrong


def test_an_unknown_key_cannot_be_revoked(ada: ApiUser) -> None:
    error_of(ada.send("DELETE", f"/api-keys/{UNKNOWN_ID}"), 404)


def test_a_user_has_at_most_fifty_keys(ada: ApiUser) -> None:
    for number in range(50):
        assert ada.post("/api-keys", {"name": f"one of many {number}"}).status_code == 201
    error_of(ada.post("/api-keys", {"name": "one too many"}), 409)


def rotated(user: ApiUser, key: ApiUser, **body: object) -> tuple[dict[str, Any], ApiUser]:
    answer = user.post(f"/api-keys/{key.user['key_id']}/rotate", body)
    assert answer.status_code == 201, answer.text
    said: dict[str, Any] = answer.get_json()
    bearer = {"Authorization": f"Bearer {said['key']}"}
    return said, ApiUser(user.client, bearer, {**user.user, "key_id": said["id"]})


def test_a_rotated_key_and_its_successor_both_work_for_a_while(ada: ApiUser) -> None:
    old = ada.with_key(name="import", scopes=["read"])
    assert old.get("/jobs").status_code == 200
    said, new = rotated(ada, old, overlap_h=1)
    assert (said["name"], said["scopes"], said["expires_at"]) == ("import", ["read"], None)
    assert said["previous"]["replaced_by"] == said["id"]
    until = datetime.fromisoformat(said["previous"]["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=59) < until <= timedelta(hours=1)
    assert old.get("/jobs").status_code == 200
    assert new.get("/jobs").status_code == 200
    assert new.post("/jobs", {"operation": "diagnostics.echo"}).status_code == 403
    assert [key["id"] for key in ada.get("/api-keys").get_json()["items"]] == [
        new.user["key_id"],
        old.user["key_id"],
    ]


def test_a_replaced_key_ends_with_the_overlap_though_redis_has_a_copy(ada: ApiUser) -> None:
    def trial() -> None:
        kept = len(ada.get("/api-keys").get_json()["items"])
        old = ada.with_key()
        assert old.get("/jobs").status_code == 200
        _, new = rotated(ada, old, overlap_h=3 / 3600)
        assert old.get("/jobs").status_code == 200
        wait_until(lambda: old.get("/jobs").status_code == 401)
        assert new.get("/jobs").status_code == 200
        assert len(ada.get("/api-keys").get_json()["items"]) == kept + 1

    in_one_of_few_tries(trial)


def test_without_an_overlap_the_old_key_is_worth_nothing_at_once(
    platform: Platform, ada: ApiUser
) -> None:
    old = ada.with_key()
    assert old.get("/jobs").status_code == 200
    rotated(ada, old, overlap_h=0)
    error_of(old.get("/jobs"), 401)
    platform.live_client.redis.flushdb()
    error_of(old.get("/jobs"), 401)


def test_a_rotation_that_redis_did_not_hear_of_is_swept(platform: Platform, ada: ApiUser) -> None:
    old = ada.with_key()
    assert old.get("/jobs").status_code == 200
    user_id, sessions = int(ada.user["id"]), platform.runtime.sessions
    with sessions() as session:
        known = session.scalars(select(UserSession.id).where(UserSession.user_id == user_id)).one()
    api_keys.rotate(sessions, user_id, UUID(str(old.user["key_id"])), session_id=known, overlap_h=0)
    wait_until(lambda: old.get("/jobs").status_code == 401)


def test_a_new_key_works_for_as_long_as_the_old_one_was_made_for(ada: ApiUser) -> None:
    in_an_hour = datetime.now(UTC) + timedelta(hours=1)
    old = ada.with_key(expires_at=in_an_hour.isoformat())
    said, _ = rotated(ada, old, overlap_h=24)
    lives = datetime.fromisoformat(said["expires_at"]) - datetime.fromisoformat(said["created_at"])
    assert abs(lives - timedelta(hours=1)) < timedelta(seconds=30)
    kept = datetime.fromisoformat(said["previous"]["expires_at"])
    assert abs(kept - in_an_hour) < timedelta(seconds=1)


def test_a_key_is_rotated_once(ada: ApiUser) -> None:
    old = ada.with_key()
    _, new = rotated(ada, old)
    path = f"/api-keys/{old.user['key_id']}/rotate"
    error_of(ada.post(path, {}), 409)
    error_of(ada.post(path, {"overlap_h": 1000}), 422)
    assert ada.send("DELETE", f"/api-keys/{new.user['key_id']}").status_code == 204
    error_of(ada.post(f"/api-keys/{new.user['key_id']}/rotate", {}), 404)


def test_names_are_unique_among_ones_own_keys(ada: ApiUser, bob: ApiUser) -> None:
    key = ada.with_key(name="import")
    refused = error_of(ada.post("/api-keys", {"name": "import"}), 409)
    assert refused["details"] == {"field": "name"}
    assert bob.post("/api-keys", {"name": "import"}).status_code == 201
    assert ada.send("DELETE", f"/api-keys/{key.user['key_id']}").status_code == 204
    assert ada.post("/api-keys", {"name": "import"}).status_code == 201


def test_a_key_tells_when_and_from_where_it_was_used(ada: ApiUser) -> None:
    key = ada.with_key()
    path = f"/api-keys/{key.user['key_id']}"
    shown = ada.get(path).get_json()
    assert (shown["last_used_at"], shown["last_used_from"]) == (None, None)
    assert key.get("/jobs").status_code == 200
    shown = ada.get(path).get_json()
    assert shown["last_used_at"]
    assert shown["last_used_from"] == "127.0.0.1"


def test_what_becomes_of_keys_is_on_record(ada: ApiUser, admin: ApiUser) -> None:
    key = ada.with_key(name="import", scopes=["read"])
    said, new = rotated(ada, key)
    assert ada.send("DELETE", f"/api-keys/{new.user['key_id']}").status_code == 204
    assert ada.send("DELETE", f"/api-keys/{new.user['key_id']}").status_code == 204
    entries = admin.get(f"/audit?subject={ada.user['id']}").get_json()["items"]
    of_keys = [entry for entry in entries if entry["action"].startswith("api_key.")]
    assert [entry["action"] for entry in of_keys] == [
        "api_key.revoked",
        "api_key.rotated",
        "api_key.created",
    ]
    assert of_keys[1]["target"] == f"api_key:{key.user['key_id']}"
    assert of_keys[1]["details"]["replaced_by"] == said["id"]
    assert of_keys[2]["details"]["scopes"] == ["read"]
    assert all(said["key"] not in str(entry) for entry in entries)
