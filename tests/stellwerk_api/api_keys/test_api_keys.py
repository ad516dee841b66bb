from datetime import UTC, datetime, timedelta

import pytest

from api import UNKNOWN_ID, ApiUser, error_of
from embedded import wait_until
from stellwerk.bootstrap import Platform
from stellwerk.identity.model import ApiKey, User
from stellwerk.identity.sessions import key_standing
from stellwerk.identity.tokens import key_hash
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
    soon = datetime.now(UTC) + timedelta(seconds=2)
    key = ada.with_key(expires_at=soon.isoformat())
    assert key.get("/jobs").status_code == 200
    wait_until(lambda: key.get("/jobs").status_code == 401, timeout_s=10)
    assert datetime.now(UTC) >= soon


def test_a_key_follows_a_change_of_its_users_account(platform: Platform, ada: ApiUser) -> None:
    key = ada.with_key()
    assert key.get("/jobs?all=true").status_code == 403
    with platform.runtime.sessions.begin() as session:
        session.get_one(User, ada.user["id"]).role = "operator"
    wait_until(lambda: key.get("/jobs?all=true").status_code == 200, timeout_s=10)
    with platform.runtime.sessions.begin() as session:
        session.get_one(User, ada.user["id"]).is_active = False
    wait_until(lambda: key.get("/jobs").status_code == 401, timeout_s=10)


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
    for _ in range(50):
        assert ada.post("/api-keys", {"name": "one of many"}).status_code == 201
    error_of(ada.post("/api-keys", {"name": "one too many"}), 409)
