"""How often somebody may ask."""

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from prometheus_client import REGISTRY
from pydantic import SecretStr
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from api import PASSWORD, ApiUser, account, error_of, signed_up
from embedded import running_valkey, wait_until
from people import add_channel
from servers import server_at
from stellwerk.bootstrap import Platform, bootstrap
from stellwerk.identity.model import User
from stellwerk.identity.permissions import Role
from stellwerk.jobs.model import IdempotencyKey, Job
from stellwerk.live import keys
from stellwerk.settings import Settings
from stellwerk_api.app import create_app

ROOT = "/admin/config"
SIGN_INS = (
    "/auth/login",
    "/auth/register",
    "/auth/session",
    "/auth/verify-email",
    "post /api/v1/auth/password-reset",
    "/auth/password-reset/confirm",
    "/auth/nextcloud",
    "/auth/refresh",
    "/auth/{provider}",
    "/auth/{provider}/callback",
    "/call-events/{carrier}",
)
ECHO = {"operation": "diagnostics.echo", "payload": {}}


@pytest.fixture
def limited(admin: ApiUser) -> "Limited":
    return Limited(admin)


class Limited:
    """Sets limits, by class."""

    def __init__(self, admin: ApiUser) -> None:
        self._admin = admin

    def to(self, **rates: Any) -> None:
        """A rate, or one for each tier."""
        values = {f"rates.{name}": rate for name, rate in rates.items()}
        answer = self._admin.send("PATCH", ROOT, json={"values": values})
        assert answer.status_code == 200, answer.text


def by_tier(free: str, pro: str = "", enterprise: str = "") -> dict[str, str]:
    return {"free": free, "pro": pro or free, "enterprise": enterprise or free}


def believed(platform: Platform, user: ApiUser) -> None:
    """Redis knows the user, and goes on doing so."""
    assert user.get("/operations").status_code == 200
    platform.live_client.redis.set(keys.SESSIONS_SWEPT, "1", ex=600)


def test_every_answer_says_what_is_left(limited: Limited, ada: ApiUser) -> None:
    limited.to(default=by_tier("5/h"))
    first = ada.get("/channels/")
    assert first.headers["RateLimit-Policy"] == '"default";q=5;w=3600'
    assert first.headers["RateLimit"] == '"default";r=4;t=720'
    assert remaining(ada.get("/jobs?colour=red")) == 3
    assert remaining(ada.get("/queues")) == 2
    assert remaining(ada.post("/jobs", ECHO)) == 1
    assert remaining(ada.get("/users/me")) == 0

    refused = ada.get("/users/me")
    error = error_of(refused, 429)
    assert error["code"] == "LIMIT_REACHED"
    assert error["details"] == {"policy": "default", "limit": 5, "window_s": 3600}
    assert refused.headers["RateLimit-Policy"] == '"default";q=5;w=3600'
    wait_s = int(refused.headers["RateLimit"].rpartition("=")[2])
    assert 600 <= wait_s <= 720
    assert int(refused.headers["Retry-After"]) >= wait_s


def remaining(answer: TestResponse) -> int:
    return int(answer.headers["RateLimit"].partition("r=")[2].partition(";")[0])


def test_polls_are_counted_for_themselves(
    limited: Limited, platform: Platform, ada: ApiUser
) -> None:
    job_id = ada.submit()
    believed(platform, ada)
    limited.to(default=by_tier("1/h"), polls=by_tier("3/h"))
    for left in (2, 1, 0):
        answer = ada.get(f"/jobs/{job_id}")
        assert answer.headers["RateLimit-Policy"] == '"polls";q=3;w=3600'
        assert (answer.status_code, remaining(answer)) == (200, left)
    error_of(ada.get(f"/jobs/{job_id}"), 429)
    error_of(ada.get(f"/jobs/{job_id}?wait=0"), 429)


def test_what_is_refused_before_flask_and_by_flask_counts_once(
    limited: Limited, platform: Platform, ada: ApiUser, bob: ApiUser
) -> None:
    job_id = bob.submit()
    believed(platform, ada)
    limited.to(default=by_tier("100/h"), polls=by_tier("100/h"))
    error_of(ada.get(f"/jobs/{job_id}"), 404)  # looked at before Flask, refused by it
    assert remaining(ada.get(f"/jobs/{ada.submit()}")) == 98
    wrong = {"operation": "diagnostics.echo", "payload": {"message": 7}}
    before = remaining(ada.post("/jobs", ECHO))
    refused = ada.post("/jobs", wrong)
    error_of(refused, 422)
    assert remaining(refused) == before - 1


def test_exactly_as_many_pass_as_may_however_many_come_at_once(
    limited: Limited, platform: Platform, application: Flask, ada: ApiUser
) -> None:
    limited.to(default=by_tier("10/h"), polls=by_tier("10/h"))
    platform.live_client.redis.set(keys.SESSIONS_SWEPT, "1", ex=600)

    def ask(_: int) -> int:
        user = ApiUser(application.test_client(), ada.credentials)
        return user.post("/jobs", ECHO).status_code

    with ThreadPoolExecutor(20) as pool:
        answers = sorted(pool.map(ask, range(20)))
    assert answers == [202] * 10 + [429] * 10


def test_two_web_processes_share_one_count(
    limited: Limited, platform: Platform, ada: ApiUser
) -> None:
    limited.to(default=by_tier("4/h"))
    other = bootstrap(platform.settings, role="tests-web")
    try:
        elsewhere = ApiUser(create_app(other).test_client(), ada.credentials)
        statuses = [user.get("/channels/").status_code for user in (ada, elsewhere) * 3]
    finally:
        other.close()
    assert statuses == [200] * 4 + [429] * 2


def test_sessions_and_keys_of_a_user_count_together_and_users_apart(
    limited: Limited, ada: ApiUser, bob: ApiUser
) -> None:
    key = ada.with_key()
    limited.to(default=by_tier("2/h"))
    assert ada.get("/channels/").status_code == 200
    assert key.get("/channels/").status_code == 200
    error_of(key.get("/channels/"), 429)
    error_of(ada.get("/channels/"), 429)
    assert bob.get("/channels/").status_code == 200


@pytest.mark.parametrize("with_key", [False, True], ids=["session", "key"])
def test_a_changed_tier_holds_within_seconds(
    limited: Limited,
    platform: Platform,
    ada: ApiUser,
    with_key: bool,  # noqa: FBT001  a case
) -> None:
    user = ada.with_key() if with_key else ada
    limited.to(default=by_tier("1000/min", pro="3000/min"))
    assert "q=1000;" in user.get("/channels/").headers["RateLimit-Policy"]
    with platform.runtime.sessions.begin() as session:
        session.get_one(User, ada.user["id"]).subscription_tier = "pro"
    wait_until(lambda: "q=3000;" in user.get("/channels/").headers["RateLimit-Policy"])


def test_a_changed_role_holds_within_seconds(platform: Platform, ada: ApiUser) -> None:
    error_of(ada.get("/queues"), 403)
    with platform.runtime.sessions.begin() as session:
        session.get_one(User, ada.user["id"]).role = Role.OPERATOR
    wait_until(lambda: ada.get("/queues").status_code == 200)


def test_a_request_is_free_again_an_interval_later(limited: Limited, ada: ApiUser) -> None:
    limited.to(default=by_tier("30/min"))
    while ada.get("/channels/").status_code != 429:
        pass
    began = time.monotonic()
    wait_until(lambda: ada.get("/channels/").status_code == 200)
    assert time.monotonic() - began < 30  # after two seconds, not after the minute


def test_a_refused_submission_stores_nothing(
    limited: Limited, platform: Platform, ada: ApiUser
) -> None:
    limited.to(default=by_tier("1/h"))
    headers = {"Idempotency-Key": '"once"'}
    assert ada.get("/channels/").status_code == 200
    error_of(ada.post("/jobs", ECHO), 429)
    error_of(ada.post("/jobs", ECHO, headers=headers), 429)
    with platform.runtime.sessions() as session:
        for kind in (Job, IdempotencyKey):
            assert session.scalar(select(func.count()).select_from(kind)) == 0


def test_videos_have_a_limit_of_their_own_by_whatever_route_they_are_asked_for(
    limited: Limited, platform: Platform, ada: ApiUser
) -> None:
    with platform.runtime.sessions.begin() as session:
        session.get_one(User, ada.user["id"]).daily_video_limit = 9
    channel = add_channel(platform, int(ada.user["id"]))
    payload = {"channel_id": channel, "topic": "How signals work", "target_duration": 30}
    job = {"operation": "videos.generate", "payload": payload}
    limited.to(videos=by_tier("3/h"), default=by_tier("100/h"))

    first = ada.post("/videos/generate", payload)
    assert first.status_code == 202, first.text
    assert first.headers["RateLimit-Policy"] == '"default";q=100;w=3600, "videos";q=3;w=3600'
    assert first.headers["RateLimit"].endswith('"videos";r=2;t=1200')
    assert ada.post("/jobs", job).status_code == 202
    both = ada.post("/jobs/bulk", {"jobs": [job, job]})
    assert error_of(both, 429)["details"]["policy"] == "videos"
    many = error_of(ada.post("/jobs/bulk", {"jobs": [job] * 4}), 422)
    assert many["details"] == {"limit": 3}
    assert ada.post("/jobs", job).status_code == 202
    error_of(ada.post("/videos/generate", payload), 429)
    made = ada.post("/schedules", {"name": "by hand", "cron": "0 0 1 1 *", **job}).get_json()
    error_of(ada.post(f"/schedules/{made['id']}/run"), 429)
    job_id = first.get_json()["job_id"]
    ada.post(f"/jobs/{job_id}/cancel")
    error_of(ada.post(f"/jobs/{job_id}/retry"), 429)
    assert ada.post("/jobs", ECHO).status_code == 202


def test_a_repeated_request_asks_for_no_further_video(
    limited: Limited, platform: Platform, ada: ApiUser
) -> None:
    channel = add_channel(platform, int(ada.user["id"]))
    payload = {"channel_id": channel, "topic": "How signals work", "target_duration": 30}
    job = {"operation": "videos.generate", "payload": payload}
    for path, body in (("/videos/generate", payload), ("/jobs/bulk", {"jobs": [job]})):
        limited.to(videos=by_tier("1/h"))
        platform.live_client.redis.flushdb()
        headers = {"Idempotency-Key": f'"{path}"'}
        first, again = (ada.post(path, body, headers=headers) for _ in range(2))
        assert (first.status_code, again.status_code) == (202, 202), again.text
        assert again.headers["Idempotency-Replayed"] == "true"
        error_of(ada.post(path, body), 429)


@pytest.mark.parametrize(
    ("route", "policies", "refused_by"),
    [
        ("login", {"login": "99/h", "login_address": "5/h"}, "login_address"),
        ("session", {"login": "99/h", "login_address": "5/h"}, "login_address"),
        ("register", {"login": "5/h"}, "login"),
    ],
)
def test_an_address_is_tried_so_often_and_no_oftener(
    limited: Limited, nobody: ApiUser, route: str, policies: dict[str, str], refused_by: str
) -> None:
    limited.to(**policies)
    body = account()
    for number in range(7):
        email = body["email"].upper() if number % 2 else body["email"]
        answer = nobody.post(
            f"/auth/{route}",
            {**body, "email": email},
            environ_overrides={"REMOTE_ADDR": f"192.0.2.{number}"},
        )
        assert (answer.status_code == 429) == (number >= 5), answer.text
        assert f'"{refused_by}";q=5;w=3600' in answer.headers["RateLimit-Policy"]
    other = nobody.post(
        f"/auth/{route}", account(), environ_overrides={"REMOTE_ADDR": "192.0.2.99"}
    )
    assert other.status_code != 429


@pytest.mark.parametrize(
    "places",
    [
        ["192.0.2.7"] * 6,
        [f"2001:db8:1:2::{number}" for number in range(6)],
        ["192.0.2.7", "::ffff:192.0.2.7"] * 3,
    ],
)
def test_a_place_tries_so_often_and_no_oftener(
    limited: Limited, nobody: ApiUser, places: list[str]
) -> None:
    limited.to(login="5/h")
    statuses = [
        nobody.post(
            "/auth/login",
            {"email": account()["email"], "password": PASSWORD},
            environ_overrides={"REMOTE_ADDR": place},
        ).status_code
        for place in places
    ]
    assert statuses == [401] * 5 + [429]


def test_nobody_is_kept_out_by_the_tries_of_one_other_place(
    limited: Limited, nobody: ApiUser, ada: ApiUser
) -> None:
    limited.to(login="5/h", login_address="12/h")
    right = {"email": ada.user["email"], "password": PASSWORD}
    elsewhere = {"REMOTE_ADDR": "192.0.2.7"}
    statuses = [
        nobody.post(
            "/auth/login", {**right, "password": "a guess"}, environ_overrides=elsewhere
        ).status_code
        for _ in range(20)
    ]
    assert statuses == [401] * 5 + [429] * 15
    assert nobody.post("/auth/login", right).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/auth/refresh", {"refresh_token": f"swr_{'0' * 64}"}, 401),
        ("GET", "/auth/google?ticket=x", None, 404),
        ("GET", "/auth/google/callback", None, 404),
        ("POST", "/auth/nextcloud", {"code": "x"}, 404),
    ],
)
def test_what_anybody_may_ask_for_is_counted_by_place(
    limited: Limited, nobody: ApiUser, method: str, path: str, body: Any, status: int
) -> None:
    limited.to(login="2/h", public="2/h")
    for expected in (status, status, 429):
        error_of(nobody.send(method, path, json=body), expected)
    elsewhere = {"REMOTE_ADDR": "192.0.2.7"}
    error_of(nobody.send(method, path, json=body, environ_overrides=elsewhere), status)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/auth/password", {"current_password": "a guess", "new_password": "x" * 12}),
        ("PATCH", "/users/me", {"email": "new@example.com", "password": "a guess"}),
        ("DELETE", "/users/me", {"password": "a guess"}),
        ("POST", "/privacy/export", {"password": "a guess"}),
        ("POST", "/privacy/delete", {"token": "a guess"}),
    ],
)
def test_whoever_is_signed_in_proves_who_they_are_so_often_and_no_oftener(
    limited: Limited, ada: ApiUser, bob: ApiUser, method: str, path: str, body: dict[str, str]
) -> None:
    limited.to(login="2/h")
    statuses = []
    for number in range(3):
        place = {"REMOTE_ADDR": f"192.0.2.{number}"}
        answer = ada.send(method, path, json=body, environ_overrides=place)
        statuses.append(answer.status_code)
    assert statuses[0] == statuses[1] != 429
    assert statuses[2] == 429
    assert error_of(answer, 429)["details"]["policy"] == "login"
    assert bob.send(method, path, json=body).status_code == statuses[0]


def test_so_many_mails_are_asked_for_by_a_user_and_to_an_address(
    limited: Limited, ada: ApiUser, bob: ApiUser
) -> None:
    limited.to(mail=by_tier("2/h"))

    def ask(user: ApiUser, email: str) -> int:
        body = {"email": email, "password": PASSWORD}
        return user.send("PATCH", "/users/me", json=body).status_code

    assert [ask(ada, "one@example.com"), ask(ada, "ONE@example.com")] == [200, 200]
    assert [ask(bob, "one@example.com"), ask(bob, "two@example.com")] == [429, 200]
    assert [ask(ada, "two@example.com"), ask(bob, "three@example.com")] == [429, 200]
    error_of(ada.post("/privacy/confirmation"), 429)


def test_a_body_that_cannot_be_read_is_a_try_too(limited: Limited, nobody: ApiUser) -> None:
    limited.to(login="2/h")
    for data in (b"{", b"[]"):
        answer = nobody.client.post("/api/v1/auth/login", data=data, content_type="text/plain")
        assert answer.status_code == 415
    error_of(nobody.post("/auth/login", {"email": 7, "password": ""}), 429)


def test_redis_is_told_neither_addresses_nor_places(
    limited: Limited, platform: Platform, nobody: ApiUser
) -> None:
    limited.to(login="5/h")
    body = account()
    nobody.post("/auth/register", body)
    names = b" ".join(map(bytes, platform.live_client.redis.scan_iter()))
    assert b":rate:login:" in names
    assert body["email"].encode() not in names
    assert b"127.0.0.1" not in names


def test_the_scrape_token_is_not_counted(limited: Limited, nobody: ApiUser) -> None:
    limited.to(default=by_tier("1/h"))
    scraper = {"Authorization": "Bearer only-for-tests-as-well"}
    for _ in range(3):
        answer = nobody.get("/metrics", headers=scraper)
        assert (answer.status_code, "RateLimit" in answer.headers) == (200, False)


def test_a_repeat_counts_only_where_realtime_did_not_say_so(
    limited: Limited, platform: Platform, ada: ApiUser
) -> None:
    job_id = ada.submit()
    believed(platform, ada)
    limited.to(polls=by_tier("2/h"))
    token = platform.settings.realtime_secret()
    for query in ("", "?wait=0"):
        for _ in range(3):
            answer = ada.get(f"/jobs/{job_id}{query}", headers={"X-Stellwerk-Repeat": token})
            assert (answer.status_code, "RateLimit" in answer.headers) == (200, False)
    forged = {"X-Stellwerk-Repeat": "guess"}
    assert remaining(ada.get(f"/jobs/{job_id}", headers=forged)) == 1
    assert remaining(ada.get(f"/jobs/{job_id}?wait=0", headers=forged)) == 0


def test_the_usual_request_asks_redis_once(
    limited: Limited, platform: Platform, ada: ApiUser
) -> None:
    job_id = ada.submit()
    believed(platform, ada)
    limited.to(default=by_tier("100/h"), polls=by_tier("100/h"))
    for path in (f"/jobs/{job_id}", "/channels/"):
        # Other processes of other tests may ask it something meanwhile, but not each time.
        assert min(asked_redis(platform, ada, path, left) for left in range(99, 89, -1)) == 1


def asked_redis(platform: Platform, user: ApiUser, path: str, left: int) -> int:
    """How often Redis was asked for a request, which leaves so many more."""
    before = reads(platform)
    assert remaining(user.get(path)) == left
    return reads(platform) - before - 1  # this question is one too


def test_a_process_that_never_saw_somebody_counts_their_polls_once(
    limited: Limited, platform: Platform, ada: ApiUser
) -> None:
    job_id = ada.submit()
    believed(platform, ada)
    limited.to(polls=by_tier("100/h"))
    other = bootstrap(platform.settings, role="tests-web")
    try:
        elsewhere = ApiUser(create_app(other).test_client(), ada.credentials)
        left = [remaining(elsewhere.get(f"/jobs/{job_id}")) for _ in range(3)]
    finally:
        other.close()
    assert left == [99, 98, 97]


def test_counts_of_a_minute_are_not_kept_on_disk_and_those_of_an_hour_are(
    limited: Limited, platform: Platform, ada: ApiUser
) -> None:
    believed(platform, ada)
    kept = []
    for rate in ("100/min", "100/h"):
        limited.to(default=by_tier(rate))
        before = kept_on_disk(platform, ada)
        left = remaining(ada.get("/channels/"))
        assert remaining(ada.get("/channels/")) < left
        kept.append(kept_on_disk(platform, ada) - before)
    assert kept == [0, 2]


def kept_on_disk(platform: Platform, user: ApiUser) -> int:
    """How often the append-only file says that requests of the user were counted."""
    redis = platform.live_client.redis
    places = redis.config_get("dir") | redis.config_get("appenddirname")
    files = Path(str(places["dir"]), str(places["appenddirname"])).glob("*.aof")
    name = keys.rate("default", user.user["id"])
    counted = f"SET\r\n${len(name)}\r\n{name}\r\n".encode()
    return sum(file.read_bytes().count(counted) for file in files)


def reads(platform: Platform) -> int:
    """How often Redis was sent something."""
    return int(platform.live_client.redis.info("stats")["total_reads_processed"])


@pytest.fixture
def own_redis_url(tmp_path: Path) -> Iterator[str]:
    with running_valkey(tmp_path) as url:
        yield url


@pytest.fixture
def alone(
    platform: Platform,  # noqa: ARG001  empties the ledger
    settings: Settings,
    own_redis_url: str,
) -> Iterator[Flask]:
    """An application whose Redis can be taken away, with two web processes' small limits."""
    rates = settings.config_defaults | {"rates.login": "4/h", "rates.videos": by_tier("2/h")}
    update = {
        "redis_url": SecretStr(own_redis_url),
        "redis_timeout_s": 0.5,
        "config_defaults": rates,
    }
    here = bootstrap(settings.model_copy(update=update), role="tests-api")
    yield create_app(here)
    here.close()


def uncounted(policy: str, outcome: str) -> float:
    labels = {"policy": policy, "outcome": outcome}
    return REGISTRY.get_sample_value("stellwerk_rate_uncounted_total", labels) or 0


def test_without_redis_sign_ins_fail_closed_and_reads_stay_open(
    alone: Flask, own_redis_url: str
) -> None:
    ada = signed_up(alone.test_client())
    frozen = server_at(own_redis_url)
    before = {one: uncounted("login", one) for one in ("counted_here", "refused")}
    open_before = uncounted("default", "let_through")
    frozen.send_signal(signal.SIGSTOP)
    try:
        body = {"email": ada.user["email"], "password": PASSWORD}
        statuses = [ada.post("/auth/login", body).status_code for _ in range(4)]
        refused = ada.post("/auth/login", body)
        read = ada.get("/channels/")
        submitted = ada.post("/jobs", ECHO)
    finally:
        frozen.send_signal(signal.SIGCONT)
    assert statuses == [200, 200, 503, 503]  # one process's share of four is two
    assert error_of(refused, 503)["code"] == "UNAVAILABLE"
    assert int(refused.headers["Retry-After"]) > 60
    assert (read.status_code, submitted.status_code) == (200, 202)
    assert "RateLimit" not in read.headers
    assert uncounted("login", "counted_here") == before["counted_here"] + 2
    assert uncounted("login", "refused") == before["refused"] + 3
    assert uncounted("default", "let_through") >= open_before + 2


def test_which_classes_fail_closed_is_configured(
    alone: Flask, own_redis_url: str, admin: ApiUser
) -> None:
    answer = admin.send("PUT", f"{ROOT}/rates.fail_closed", json={"value": []})
    assert answer.status_code == 200
    ada = signed_up(alone.test_client())
    frozen = server_at(own_redis_url)
    frozen.send_signal(signal.SIGSTOP)
    try:
        body = {"email": ada.user["email"], "password": PASSWORD}
        statuses = [ada.post("/auth/login", body).status_code for _ in range(4)]
    finally:
        frozen.send_signal(signal.SIGCONT)
    assert statuses == [200] * 4


def test_every_counted_route_documents_its_refusal_and_its_headers(nobody: ApiUser) -> None:
    document = nobody.client.get("/api/openapi.json").get_json()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method not in {"get", "post", "put", "patch", "delete"}:
                continue
            is_tried = f"{method} {path}".endswith(SIGN_INS)
            is_counted = operation["security"] or is_tried
            assert ("429" in operation["responses"]) == bool(is_counted), path
            for status, response in operation["responses"].items() if is_counted else ():
                if status in {"401", "413", "500", "503", "default"}:
                    continue
                found = response
                if "$ref" in response:
                    found = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
                assert {"RateLimit", "RateLimit-Policy"} <= set(found["headers"]), path
