"""Signing in from a browser: what the cookie allows, and what another site's page cannot do."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from api import PASSWORD, ApiUser, account, error_of
from stellwerk.bootstrap import Platform
from stellwerk.clock import utc_now
from stellwerk.identity.model import UserSession
from stellwerk.identity.tokens import Tokens
from stellwerk_api.app import create_app

OWN = "http://localhost"
EVIL = "https://evil.test"


@pytest.fixture
def person(client: FlaskClient) -> dict[str, str]:
    body = account()
    assert client.post("/api/v1/auth/register", json=body).status_code == 202
    return body


@pytest.fixture
def browser(client: FlaskClient, person: dict[str, str]) -> ApiUser:
    """Somebody whom a cookie signs in; `user` has the proof."""
    answer = client.post("/api/v1/auth/session", json=person)
    assert answer.status_code == 201, answer.text
    return ApiUser(client, user=answer.get_json())


def proof(browser: ApiUser) -> dict[str, str]:
    return {"X-CSRF-Token": str(browser.user["csrf_token"])}


def changed(browser: ApiUser, **headers: str) -> Any:
    """The answer to a change, with the headers named."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return browser.send("PATCH", "/users/me", json={"full_name": "Ada"}, headers=sent)


def test_the_cookie_signs_in_and_no_script_can_read_it(
    client: FlaskClient, person: dict[str, str]
) -> None:
    answer = client.post("/api/v1/auth/session", json=person)
    session, kept = answer.headers.getlist("Set-Cookie")
    attributes = set(session.split("; ")[1:])
    assert {"HttpOnly", "Path=/", "SameSite=Lax"} <= attributes
    assert "Domain" not in session
    assert "HttpOnly" not in kept
    said = answer.get_json()
    assert set(said) == {"csrf_token", "expires_in", "user"}
    token = session.partition(";")[0].partition("=")[2]
    assert token not in answer.text
    assert client.get("/api/v1/auth/me").get_json()["email"] == person["email"]


def test_a_wrong_password_gives_no_cookie(client: FlaskClient, person: dict[str, str]) -> None:
    answer = client.post("/api/v1/auth/session", json={**person, "password": "another one"})
    assert error_of(answer, 401)["code"] == "INVALID_CREDENTIALS"
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": OWN},
        {"Origin": OWN, "Sec_Fetch_Site": "same-origin"},
        {"Sec_Fetch_Site": "same-origin"},
        {"Sec_Fetch_Site": "none"},
    ],
)
def test_our_own_page_may_change_things(browser: ApiUser, headers: dict[str, str]) -> None:
    shown = str(browser.user["csrf_token"])
    assert changed(browser, X_CSRF_Token=shown, **headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": EVIL},
        {"Origin": "null"},
        {"Origin": f"{OWN}.evil.test"},
        {"Origin": f"{OWN}:8100", "Sec_Fetch_Site": "same-site"},  # modules' pages
        {"Origin": EVIL, "Sec_Fetch_Site": "same-origin"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_another_sites_page_may_not_even_with_the_proof(
    browser: ApiUser, headers: dict[str, str]
) -> None:
    answer = changed(browser, X_CSRF_Token=str(browser.user["csrf_token"]), **headers)
    assert error_of(answer, 403)["code"] == "CSRF_REFUSED"


@pytest.mark.parametrize("shown", [None, "", ".", "x.y", "guessed"])
def test_a_change_without_the_proof_is_refused(browser: ApiUser, shown: str | None) -> None:
    headers = {} if shown is None else {"X_CSRF_Token": shown}
    assert error_of(changed(browser, **headers), 403)["code"] == "CSRF_REFUSED"
    assert browser.get("/users/me").status_code == 200


def test_a_proof_that_was_planted_as_a_cookie_is_refused(browser: ApiUser) -> None:
    browser.client.set_cookie("stellwerk-csrf", "planted.proof")
    assert error_of(changed(browser, X_CSRF_Token="planted.proof"), 403)["code"] == "CSRF_REFUSED"


def test_the_proof_of_another_session_is_refused(browser: ApiUser, person: dict[str, str]) -> None:
    other = browser.client.application.test_client()
    theirs = other.post("/api/v1/auth/session", json=person).get_json()["csrf_token"]
    browser.client.set_cookie("stellwerk-csrf", theirs)
    assert error_of(changed(browser, X_CSRF_Token=theirs), 403)["code"] == "CSRF_REFUSED"


def test_every_way_to_change_something_needs_the_proof(browser: ApiUser) -> None:
    body = {"operation": "diagnostics.echo"}
    for method, path in (("POST", "/jobs"), ("POST", "/auth/logout"), ("DELETE", "/channels/1")):
        assert error_of(browser.send(method, path, json=body), 403)["code"] == "CSRF_REFUSED"
    assert browser.post("/jobs", body, headers=proof(browser)).status_code == 202


def test_a_bearer_needs_no_proof_whatever_cookies_there_are(
    browser: ApiUser, person: dict[str, str]
) -> None:
    said = browser.post("/auth/login", person, headers={"Origin": EVIL}).get_json()
    bearer = {"Authorization": f"Bearer {said['access_token']}", "Origin": EVIL}
    answer = browser.send("PATCH", "/users/me", json={"full_name": "Ada"}, headers=bearer)
    assert answer.status_code == 200


def test_logging_out_ends_the_session_and_takes_the_cookies_back(browser: ApiUser) -> None:
    token = browser.client.get_cookie("stellwerk")
    assert token
    answer = browser.post("/auth/logout", headers=proof(browser))
    assert answer.status_code == 204
    assert [kept.partition(";")[0] for kept in answer.headers.getlist("Set-Cookie")] == [
        "stellwerk=",
        "stellwerk-csrf=",
    ]
    error_of(browser.get("/auth/me"), 401)
    browser.client.set_cookie("stellwerk", token.value)
    answer = browser.get("/auth/me")
    error_of(answer, 401)
    assert answer.headers.getlist("Set-Cookie")


def test_a_session_that_is_used_goes_on_with_the_same_proof(
    browser: ApiUser, platform: Platform
) -> None:
    grow_old(browser, platform, left_h=5)
    answer = browser.get("/auth/me")
    renewed, kept = answer.headers.getlist("Set-Cookie")
    assert "Max-Age=43200" in renewed
    assert kept.startswith(f"stellwerk-csrf={browser.user['csrf_token']};")
    assert browser.get("/auth/me").headers.getlist("Set-Cookie") == []
    assert changed(browser, X_CSRF_Token=str(browser.user["csrf_token"])).status_code == 200
    with platform.runtime.sessions() as session:
        ends_at = session.scalars(select(UserSession.expires_at)).one()
    assert ends_at > utc_now() + timedelta(days=6)


def test_a_session_whose_token_is_young_or_that_has_ended_is_not_renewed(
    browser: ApiUser, platform: Platform
) -> None:
    assert browser.get("/auth/me").headers.getlist("Set-Cookie") == []
    grow_old(browser, platform, left_h=5)
    body = {"current_password": PASSWORD, "new_password": "a new and longer password"}
    answer = browser.post("/auth/password", body, headers=proof(browser))
    assert (answer.status_code, answer.headers.getlist("Set-Cookie")) == (204, [])
    error_of(browser.get("/auth/me"), 401)


def test_what_another_site_led_to_renews_nothing(browser: ApiUser, platform: Platform) -> None:
    grow_old(browser, platform, left_h=5)
    browser.client.delete_cookie("stellwerk-csrf")  # SameSite=Strict: it stays at home
    assert browser.get("/auth/me").headers.getlist("Set-Cookie") == []


def test_a_wrong_password_signs_nobody_out(browser: ApiUser) -> None:
    body = {"current_password": "not that one", "new_password": "a new and longer password"}
    answer = browser.post("/auth/password", body, headers=proof(browser))
    assert error_of(answer, 401)["code"] == "INVALID_CREDENTIALS"
    assert answer.headers.getlist("Set-Cookie") == []
    assert browser.get("/auth/me").status_code == 200


def test_a_log_out_that_was_refused_leaves_the_cookies(browser: ApiUser, admin: ApiUser) -> None:
    once = {"rates.default": dict.fromkeys(("free", "pro", "enterprise"), "1/h")}
    assert admin.send("PATCH", "/admin/config", json={"values": once}).status_code == 200
    assert browser.get("/users/me").status_code == 200
    answer = browser.post("/auth/logout", headers=proof(browser))
    error_of(answer, 429)
    assert answer.headers.getlist("Set-Cookie") == []


def grow_old(browser: ApiUser, platform: Platform, *, left_h: int) -> None:
    """As if most of the cookie's token were over, and nearly all of its session."""
    with platform.runtime.sessions.begin() as session:
        row = session.scalars(select(UserSession)).one()
        row.expires_at = ends_at = utc_now() + timedelta(hours=left_h)
        token = Tokens(platform.settings.signing_key()).sign(row.user_id, row.id, ends_at)
    browser.client.set_cookie("stellwerk", token)


def test_no_other_secret_is_taken_from_the_cookie(browser: ApiUser, platform: Platform) -> None:
    key = browser.post("/api-keys", {"name": "x"}, headers=proof(browser)).get_json()["key"]
    for secret in (key, platform.settings.scrape_token.get_secret_value(), "a.b.c", ""):
        browser.client.set_cookie("stellwerk", secret)
        error_of(browser.get("/metrics"), 401)


def test_another_sites_page_cannot_sign_a_browser_in(
    client: FlaskClient, person: dict[str, str]
) -> None:
    answer = client.post("/api/v1/auth/session", json=person, headers={"Origin": EVIL})
    assert error_of(answer, 403)["code"] == "CSRF_REFUSED"


def test_with_https_the_cookies_are_the_hosts_alone(
    platform: Platform, person: dict[str, str]
) -> None:
    settings = platform.settings.model_copy(
        update={"public_url": "https://stellwerk.example.com", "cors_origins": ("https://a.test",)}
    )
    client = create_app(replace(platform, settings=settings)).test_client()
    answer = client.post("/api/v1/auth/session", json=person, base_url=settings.public_url)
    for kept in answer.headers.getlist("Set-Cookie"):
        assert kept.startswith("__Host-stellwerk")
        assert {"Secure", "Path=/"} <= set(kept.split("; "))
    headers = {"X-CSRF-Token": answer.get_json()["csrf_token"]}
    for origin, status in (
        (settings.public_url, 200),
        ("https://a.test", 200),
        ("http://stellwerk.example.com", 403),
        (EVIL, 403),
    ):
        changed = client.patch(
            "/api/v1/users/me",
            json={"full_name": "Ada"},
            base_url=settings.public_url,
            headers={**headers, "Origin": origin},
        )
        assert changed.status_code == status, origin


def test_our_own_page_is_ours_with_or_without_others(
    platform: Platform, person: dict[str, str]
) -> None:
    settings = platform.settings.model_copy(
        update={"public_url": "", "cors_origins": ("https://a.test",)}
    )
    client = create_app(replace(platform, settings=settings)).test_client()
    for origin, status in (("http://localhost", 201), ("https://a.test", 201), (EVIL, 403)):
        answer = client.post("/api/v1/auth/session", json=person, headers={"Origin": origin})
        assert answer.status_code == status, origin
