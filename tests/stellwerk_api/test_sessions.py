"""A session lives in Postgres; Redis's copy neither keeps it alive nor ends it."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from flask import Flask
from pydantic import SecretStr

from api import ApiUser, error_of, signed_in, signed_up
from embedded import running_valkey, wait_until
from servers import server_at
from stellwerk.bootstrap import Platform, bootstrap
from stellwerk.connections.securing import end_ways_in
from stellwerk.identity.model import User
from stellwerk.identity.service import create_admin
from stellwerk.identity.sessions import Standing, end
from stellwerk.live import keys
from stellwerk.live.sessions import LiveSessions
from stellwerk.settings import Settings
from stellwerk_api.app import create_app
from stellwerk_api.auth import EXTENSION

SLOWEST_S = 10.0  # a request that waited for Redis would never end


def session_id_of(application: Flask, user: ApiUser) -> Any:
    token = user.credentials["Authorization"].removeprefix("Bearer ")
    return application.extensions[EXTENSION].tokens.verify(token).session_id


def test_the_copy_in_redis_is_used_and_lasts_for_its_time(
    application: Flask, platform: Platform, ada: ApiUser
) -> None:
    assert ada.get("/jobs").status_code == 200
    key = keys.session(session_id_of(application, ada))
    redis = platform.live_client.redis
    assert redis.exists(key)
    assert 0 < redis.ttl(key) <= platform.settings.session_cache_s


def test_logout_ends_the_session_at_once_and_only_that_one(ada: ApiUser) -> None:
    elsewhere = signed_in(ada.client, ada.user["email"])
    assert ada.get("/jobs").status_code == 200
    assert ada.post("/auth/logout").status_code == 204
    error_of(ada.get("/jobs"), 401)
    assert elsewhere.get("/jobs").status_code == 200


def test_an_emptied_redis_neither_ends_nor_revives_a_session(
    platform: Platform, ada: ApiUser, bob: ApiUser
) -> None:
    ada.get("/jobs")
    bob.get("/jobs")
    ada.post("/auth/logout")
    platform.live_client.redis.flushdb()
    error_of(ada.get("/jobs"), 401)
    assert bob.get("/jobs").status_code == 200


def test_a_slow_reader_cannot_put_the_copy_of_an_ended_session_back(
    application: Flask, platform: Platform, ada: ApiUser
) -> None:
    session_id = session_id_of(application, ada)
    ada.post("/auth/logout")
    live = LiveSessions(platform.live_client, ttl_s=900)
    live.fill(session_id, Standing(int(ada.user["id"]), "user", "free"))
    assert live.read(session_id).standing is None
    error_of(ada.get("/jobs"), 401)


def test_a_copy_that_outlived_its_session_is_not_believed_for_long(
    application: Flask, platform: Platform, ada: ApiUser
) -> None:
    assert ada.get("/jobs").status_code == 200
    with platform.runtime.sessions.begin() as session:  # a logout that could not reach Redis
        end(session, session_id_of(application, ada))
    wait_until(lambda: ada.get("/jobs").status_code == 401)


def test_a_disabled_user_is_out(platform: Platform, ada: ApiUser) -> None:
    with platform.runtime.sessions.begin() as session:
        session.get_one(User, ada.user["id"]).is_active = False
    error_of(ada.get("/auth/me"), 401)
    body = {"email": ada.user["email"], "password": "correct horse battery staple"}
    assert error_of(ada.post("/auth/login", body), 401)["code"] == "INVALID_CREDENTIALS"


def test_a_promoted_user_signs_in_again(platform: Platform, ada: ApiUser) -> None:
    email, key = ada.user["email"], ada.with_key()
    assert key.get("/jobs").status_code == 200
    create_admin(platform.runtime.sessions, email, "a new and longer one", promote=end_ways_in)
    platform.live_client.redis.flushdb()
    for known in (ada, key):
        error_of(known.get("/jobs"), 401)
    assert signed_in(ada.client, email, "a new and longer one").user["role"] == "admin"


@pytest.fixture
def own_redis_url(tmp_path: Path) -> Iterator[str]:
    with running_valkey(tmp_path) as url:
        yield url


@pytest.fixture
def own_redis(own_redis_url: str) -> psutil.Process:
    return server_at(own_redis_url)


@pytest.fixture
def app_on_own_redis(
    platform: Platform,  # noqa: ARG001  empties the ledger
    settings: Settings,
    own_redis_url: str,
) -> Iterator[Flask]:
    update = {"redis_url": SecretStr(own_redis_url), "redis_timeout_s": 0.5}
    changed = settings.model_copy(update=update)
    here = bootstrap(changed, role="tests-api")
    yield create_app(here)
    here.close()


def test_while_redis_is_frozen_everything_answers_in_time_and_logout_holds(
    app_on_own_redis: Flask, own_redis: psutil.Process
) -> None:
    ada, bob = (signed_up(app_on_own_redis.test_client()) for _ in range(2))
    job_id = ada.submit()
    assert bob.get("/jobs").status_code == 200
    own_redis.send_signal(signal.SIGSTOP)
    try:
        for _ in range(2):
            in_time(ada, "GET", f"/jobs/{job_id}", 200)
            in_time(ada, "POST", "/jobs", 202, json={"operation": "diagnostics.echo"})
            in_time(ada, "GET", "/health/ready", 200)
        in_time(bob, "POST", "/auth/logout", 204)
        in_time(bob, "GET", "/jobs", 401)
    finally:
        own_redis.send_signal(signal.SIGCONT)
    assert ada.get("/jobs").status_code == 200
    for _ in range(20):
        error_of(bob.get("/jobs"), 401)


def in_time(user: ApiUser, method: str, path: str, status: int, **arguments: Any) -> None:
    began = time.monotonic()
    answer = user.send(method, path, **arguments)
    assert answer.status_code == status, answer.text
    assert time.monotonic() - began < SLOWEST_S
