from dataclasses import replace

import pytest

from api import PASSWORD, ApiUser, account, error_of, signed_in
from stellwerk.bootstrap import Platform
from stellwerk.identity.model import User
from stellwerk_api.app import create_app


def test_register_answers_the_same_for_a_known_address(nobody: ApiUser) -> None:
    body = account(full_name="Ada Lovelace")
    first = nobody.post("/auth/register", body)
    shouted = {**body, "email": body["email"].upper(), "password": "another password"}
    second = nobody.post("/auth/register", shouted)

    assert (first.status_code, second.status_code) == (202, 202)
    assert first.data == second.data
    assert signed_in(nobody.client, body["email"]).user["full_name"] == "Ada Lovelace"


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"email": "nobody"}, "email"),
        ({"email": "a@b"}, "email"),
        ({"email": "x" * 250 + "@example.com"}, "email"),
        ({"password": "too short"}, "password"),
        ({"password": "x" * 201}, "password"),
        ({"full_name": "x" * 201}, "full_name"),
        ({"role": "admin"}, "role"),
    ],
)
def test_register_refuses_what_is_no_account(
    nobody: ApiUser, fields: dict[str, str], wrong: str
) -> None:
    error = error_of(nobody.post("/auth/register", account(**fields)), 422)
    assert error["details"]["field"] == wrong


def test_login_gives_a_token_for_an_hour_and_the_user(nobody: ApiUser) -> None:
    body = account()
    nobody.post("/auth/register", body)
    said = nobody.post("/auth/login", {**body, "email": body["email"].upper()}).get_json()
    assert set(said) == {"access_token", "refresh_token", "token_type", "expires_in", "user"}
    assert (said["token_type"], said["expires_in"]) == ("bearer", 3600)
    assert said["user"]["email"] == body["email"]
    assert said["user"]["channels_limit"] == 1
    assert said["user"]["total_spent"] == 0
    assert "password" not in str(said["user"])


def test_a_wrong_password_and_an_unknown_address_are_told_alike(
    nobody: ApiUser, ada: ApiUser
) -> None:
    wrong = nobody.post("/auth/login", {"email": ada.user["email"], "password": "not hers"})
    unknown = nobody.post("/auth/login", {"email": "x@example.com", "password": "not hers"})
    for answer in (wrong, unknown):
        assert error_of(answer, 401)["code"] == "INVALID_CREDENTIALS"
    assert wrong.get_json()["error"]["message"] == unknown.get_json()["error"]["message"]


def test_me_is_the_caller(ada: ApiUser) -> None:
    for path in ("/auth/me", "/users/me"):
        assert ada.get(path).get_json()["email"] == ada.user["email"]


def test_a_user_changes_name_and_username(ada: ApiUser) -> None:
    changed = ada.send("PATCH", "/users/me", json={"full_name": "Ada", "username": "ada.l"})
    assert (changed.status_code, changed.get_json()["username"]) == (200, "ada.l")


def test_a_taken_username_is_409_and_changes_nothing(ada: ApiUser, bob: ApiUser) -> None:
    ada.send("PATCH", "/users/me", json={"username": "signal"})
    error = error_of(bob.send("PATCH", "/users/me", json={"username": "signal"}), 409)
    assert error["details"] == {"field": "username"}
    assert bob.get("/users/me").get_json()["username"] == bob.user["username"]


@pytest.mark.parametrize("field", ["role", "email", "subscription_tier", "is_active"])
def test_a_user_cannot_change_what_others_decide(ada: ApiUser, field: str) -> None:
    error_of(ada.send("PATCH", "/users/me", json={field: "admin"}), 422)


def test_where_verification_is_asked_for_an_unverified_user_is_refused(
    platform: Platform, ada: ApiUser
) -> None:
    strict = platform.settings.model_copy(update={"allow_unverified_login": False})
    runtime = replace(platform.runtime, settings=strict)
    app = create_app(replace(platform, settings=strict, runtime=runtime))
    body = {"email": ada.user["email"], "password": PASSWORD}
    error_of(ApiUser(app.test_client()).post("/auth/login", body), 403)
    with platform.runtime.sessions.begin() as session:
        user = session.get_one(User, ada.user["id"])
        user.email_verified_at = user.created_at
    assert ApiUser(app.test_client()).post("/auth/login", body).status_code == 200
