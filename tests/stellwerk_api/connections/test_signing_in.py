"""Signing in with a Nextcloud account: known by its id there, never by an e-mail address."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from flask import Flask
from pydantic import SecretStr
from sqlalchemy import func, select, update
from werkzeug.test import TestResponse

from api import ApiUser, error_of
from connecting import APP_URL, App, connected, knowing, knowing_nextcloud
from mails import mails_to, token_in
from nextcloud import Nextcloud, NextcloudUser
from stellwerk.bootstrap import Platform
from stellwerk.connections.model import OauthConnection, OauthIdentity
from stellwerk.connections.queries import Place
from stellwerk.connections.tokens import access_token
from stellwerk.identity import passwords
from stellwerk.identity.model import User
from stellwerk_api.app import create_app


def users(platform: Platform) -> int:
    with platform.runtime.sessions() as session:
        return session.scalar(select(func.count()).select_from(User)) or 0


def signed_in(answer: TestResponse) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.get_json()
    return said


def test_the_first_time_makes_a_user_and_the_second_finds_them(
    here: Platform, phone: App, cloud: Nextcloud
) -> None:
    cloud.who = NextcloudUser("ada", "ada@cloud.example", "Ada Lovelace")
    first = signed_in(phone.sign_in())
    cloud.who = NextcloudUser("ada", "another@cloud.example")
    second = signed_in(phone.sign_in())
    assert first["user"]["id"] == second["user"]["id"]
    assert first["user"]["full_name"] == "Ada Lovelace"
    assert first["user"]["email"] == "ada@cloud.example"
    assert first["user"]["email_verified_at"] is None
    assert users(here) == 1


def test_the_tokens_are_those_that_may_place_calls(phone: App) -> None:
    said = signed_in(phone.sign_in())
    assert (said["token_type"], said["expires_in"]) == ("bearer", 900)
    bearer = {"Authorization": f"Bearer {said['access_token']}"}
    assert ApiUser(phone.nobody.client, bearer).get("/auth/me").status_code == 200
    renewed = phone.nobody.post("/auth/refresh", {"refresh_token": said["refresh_token"]})
    assert renewed.get_json()["expires_in"] == 900


def test_nothing_of_nextclouds_own_tokens_is_kept(
    here: Platform, phone: App, cloud: Nextcloud
) -> None:
    signed_in(phone.sign_in())
    assert cloud.tokens == []
    with here.runtime.sessions() as session:
        assert session.scalars(select(OauthConnection)).all() == []
        assert session.scalars(select(OauthIdentity)).one().made_account


def test_a_sign_in_leaves_the_connected_account_alone(
    here: Platform, phone: App, cloud: Nextcloud, ann: ApiUser
) -> None:
    connection = connected(ann, cloud)
    signed_in(phone.sign_in())
    assert ann.get("/connections/nextcloud").get_json() == connection
    assert cloud.knows(access_token(here.runtime, Place(int(ann.user["id"]), "nextcloud")))


def test_somebody_elses_address_signs_nobody_in(
    here: Platform, phone: App, cloud: Nextcloud, ann: ApiUser
) -> None:
    cloud.who = NextcloudUser("mallory", ann.user["email"].upper())
    error = error_of(phone.sign_in(), 409)
    assert error["code"] == "ACCOUNT_TAKEN"
    assert users(here) == 1
    assert cloud.tokens == []


def test_who_connected_the_account_is_signed_in_by_it(
    phone: App, cloud: Nextcloud, ann: ApiUser
) -> None:
    connected(ann, cloud)
    assert signed_in(phone.sign_in())["user"]["id"] == ann.user["id"]
    ann.send("DELETE", "/connections/nextcloud")
    cloud.who = NextcloudUser("ada", None)
    assert signed_in(phone.sign_in())["user"]["id"] != ann.user["id"]


def test_whoever_came_by_the_account_keeps_it_to_sign_in(phone: App) -> None:
    said = signed_in(phone.sign_in())
    bearer = {"Authorization": f"Bearer {said['access_token']}"}
    user = ApiUser(phone.nobody.client, bearer)
    connected(user, phone.cloud)
    assert user.send("DELETE", "/connections/nextcloud").status_code == 204
    assert signed_in(phone.sign_in())["user"]["id"] == said["user"]["id"]


def test_a_fresh_code_proves_who_has_no_password(
    here: Platform, phone: App, cloud: Nextcloud
) -> None:
    cloud.who = NextcloudUser("grace", None)
    said = signed_in(phone.sign_in())
    bearer = {"Authorization": f"Bearer {said['access_token']}"}
    grace = ApiUser(phone.nobody.client, bearer)
    new = {"email": "grace@example.com", "nextcloud": phone.body()}
    assert grace.send("PATCH", "/users/me", json=new).status_code == 200
    (mail,) = mails_to(here, "grace@example.com")
    assert grace.get(f"/auth/verify-email?token={token_in(mail)}").status_code == 200
    cloud.who = NextcloudUser("eve")
    error = error_of(grace.post("/privacy/delete", {"nextcloud": phone.body()}), 401)
    assert error["code"] == "INVALID_CREDENTIALS"
    cloud.who = NextcloudUser("grace")
    proof = {"nextcloud": phone.body()}
    assert grace.post("/privacy/delete", proof).status_code == 202
    error_of(grace.post("/privacy/export", proof), 422)  # a code is good once
    assert cloud.tokens == []


@pytest.mark.parametrize("status", [500, 503])
def test_a_nextcloud_that_fails_is_named_and_the_code_may_be_brought_again(
    phone: App, cloud: Nextcloud, status: int
) -> None:
    body = phone.body()
    cloud.fails_with = status
    error = error_of(phone.nobody.post("/auth/nextcloud", body), 503)
    assert error["code"] == "PROVIDER_UNAVAILABLE"
    assert "Nextcloud" in error["message"]
    cloud.fails_with = None
    signed_in(phone.nobody.post("/auth/nextcloud", body))


def test_a_nextcloud_that_is_away_is_named(here: Platform, phone: App, cloud: Nextcloud) -> None:
    body = phone.body()
    cut_off = ApiUser(create_app(knowing(here, nextcloud_url="http://localhost:1")).test_client())
    error = error_of(cut_off.post("/auth/nextcloud", body), 503)
    assert (error["code"], "Nextcloud" in error["message"]) == ("PROVIDER_UNAVAILABLE", True)
    assert cloud.tokens == []


@pytest.mark.parametrize("email", [None, "", "no address", "a@b"])
def test_an_account_without_an_address_gets_one_that_nobody_has(
    phone: App, cloud: Nextcloud, email: str | None
) -> None:
    cloud.who = NextcloudUser("grace", email)
    assert signed_in(phone.sign_in())["user"]["email"].endswith("@nextcloud.invalid")


def test_without_the_verifier_no_code_is_taken(phone: App, cloud: Nextcloud) -> None:
    error = error_of(phone.sign_in(code_verifier=None), 400)
    assert error["code"] == "PKCE_REQUIRED"
    body = phone.body()
    del body["code_verifier"]
    assert error_of(phone.nobody.post("/auth/nextcloud", body), 400)["code"] == "PKCE_REQUIRED"
    assert cloud.tokens == []


def test_another_verifier_is_refused_by_nextcloud(phone: App) -> None:
    error = error_of(phone.sign_in(code_verifier="x" * 43), 422)
    assert error["code"] == "PROVIDER_REJECTED"


@pytest.mark.parametrize("suffix", ["/", "/..", "?x=1", ".evil.example", "#x"])
def test_a_code_that_was_sent_elsewhere_is_refused(phone: App, suffix: str) -> None:
    error = error_of(phone.sign_in(redirect_url=APP_URL + suffix), 422)
    assert error["code"] == "RETURN_URL_NOT_ALLOWED"
    assert error["details"]["field"] == "redirect_url"


def test_a_code_is_good_once(phone: App) -> None:
    body = phone.body()
    signed_in(phone.nobody.post("/auth/nextcloud", body))
    error_of(phone.nobody.post("/auth/nextcloud", body), 422)


def test_a_disabled_user_is_not_signed_in(here: Platform, phone: App, cloud: Nextcloud) -> None:
    signed_in(phone.sign_in())
    with here.runtime.sessions.begin() as session:
        session.execute(update(User).values(is_active=False))
    error_of(phone.sign_in(), 403)
    assert cloud.tokens == []


def test_two_first_sign_ins_at_once_make_one_user(here: Platform, app: Flask, phone: App) -> None:
    bodies = [phone.body() for _ in range(4)]

    def send(body: dict[str, Any]) -> int:
        return int(
            signed_in(ApiUser(app.test_client()).post("/auth/nextcloud", body))["user"]["id"]
        )

    with ThreadPoolExecutor(2) as threads:
        assert len(set(threads.map(send, bodies))) == 1
    assert users(here) == 1


def test_apps_may_have_a_client_of_their_own(platform: Platform, cloud: Nextcloud) -> None:
    other = knowing_nextcloud(
        platform,
        cloud,
        nextcloud_redirect_urls=[APP_URL],
        nextcloud_app_client_id="unknown-there",
        nextcloud_app_client_secret=SecretStr("x"),
    )
    phone = App(ApiUser(create_app(other).test_client()), cloud)
    assert error_of(phone.sign_in(), 422)["code"] == "PROVIDER_REJECTED"


def test_the_short_address_of_older_apps_does_the_same(app: Flask, phone: App) -> None:
    answer = app.test_client().post("/auth", json=phone.body())
    assert signed_in(answer)["user"]["id"] == signed_in(phone.sign_in())["user"]["id"]


def test_where_no_app_is_listed_nobody_signs_in_so(platform: Platform, cloud: Nextcloud) -> None:
    app = create_app(knowing_nextcloud(platform, cloud))
    phone = App(ApiUser(app.test_client()), cloud)
    error_of(phone.sign_in(), 404)


def test_the_example_of_the_document_is_well_formed(phone: App) -> None:
    document = phone.nobody.client.get("/api/openapi.json").get_json()
    described = document["paths"]["/api/v1/auth/nextcloud"]["post"]
    example = described["requestBody"]["content"]["application/json"]["example"]
    phone.verifier = example["code_verifier"]
    answer = phone.nobody.post("/auth/nextcloud", {**example, "code": phone.code()})
    assert answer.status_code == 200


def test_a_new_user_does_not_wait_for_those_who_send_passwords(
    phone: App, cloud: Nextcloud
) -> None:
    signed_in(phone.sign_in())
    cloud.who = NextcloudUser("grace", "grace@cloud.example")
    with ExitStack() as all_turns:
        for _ in range(passwords.AT_ONCE):
            all_turns.enter_context(passwords.turn())
        assert signed_in(phone.sign_in())["user"]["email"] == "grace@cloud.example"
