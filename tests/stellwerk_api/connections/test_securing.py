"""A new password ends what somebody else may have left in an account to come in by."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from api import API, PASSWORD, ApiUser, account, error_of, signed_in, with_tokens
from connecting import App, begin, connected, opened
from mails import mails_to, token_in
from nextcloud import Nextcloud, NextcloudUser
from stellwerk.audit.model import AuditEntry
from stellwerk.bootstrap import Platform
from stellwerk.connections.model import OauthConnection, OauthIdentity, OauthState
from stellwerk.connections.securing import end_ways_in
from stellwerk.identity.model import MailedLink, User, UserSession
from stellwerk.identity.service import create_admin
from stellwerk.schedules.firing import fire_due
from stellwerk.webhooks.model import WebhookEndpoint

VICTIM = "victim@example.com"
MALLORY = NextcloudUser("mallory", VICTIM)
NEW = "a new and longer password"
LEFT = (OauthConnection, OauthIdentity, OauthState, WebhookEndpoint)


def left(platform: Platform) -> list[int]:
    with platform.runtime.sessions() as session:
        return [session.scalar(select(func.count()).select_from(kind)) or 0 for kind in LEFT]


def reset(platform: Platform, nobody: ApiUser, email: str) -> None:
    """As the owner of the address does."""
    confirm(nobody, token_of_reset(platform, nobody, email))


def token_of_reset(platform: Platform, nobody: ApiUser, email: str) -> str:
    nobody.post("/auth/password-reset", {"email": email})
    return token_in(mails_to(platform, email)[-1])


def confirm(nobody: ApiUser, token: str) -> None:
    answer = nobody.post("/auth/password-reset/confirm", {"token": token, "password": NEW})
    assert answer.status_code == 204, answer.text


def address_asked_for(platform: Platform, user: ApiUser, email: str) -> str:
    """The token of the mail that makes an address the user's."""
    body = {"email": email, "password": PASSWORD}
    assert user.send("PATCH", "/users/me", json=body).status_code == 200
    return token_in(mails_to(platform, email)[-1])


@pytest.fixture
def squatter(phone: App, cloud: Nextcloud) -> ApiUser:
    cloud.who = MALLORY
    return with_tokens(phone.nobody.client, phone.sign_in())


def test_whoever_came_by_nextcloud_with_somebody_elses_address_is_out_once_its_owner_resets(
    here: Platform, phone: App, cloud: Nextcloud, squatter: ApiUser
) -> None:
    connected(squatter, cloud)
    endpoint = {"url": "https://mallory.example.com/", "event_types": ["job.completed"]}
    assert squatter.post("/webhook-endpoints/", endpoint).status_code == 201
    begin(squatter)
    assert left(here) == [1, 1, 1, 1]
    reset(here, phone.nobody, VICTIM)
    assert left(here) == [0, 0, 0, 0]
    error_of(squatter.get("/auth/me"), 401)
    refused = error_of(phone.sign_in(), 409)  # the account is its owner's
    assert refused["code"] == "ACCOUNT_TAKEN"
    owner = signed_in(phone.nobody.client, VICTIM, NEW)
    assert owner.user["id"] == squatter.user["id"]


def test_a_verified_owner_keeps_what_is_connected(
    here: Platform, phone: App, cloud: Nextcloud, ann: ApiUser
) -> None:
    with here.runtime.sessions.begin() as session:
        session.get_one(User, ann.user["id"]).email_verified_at = func.now()
    connected(ann, cloud)
    begin(ann)
    reset(here, phone.nobody, ann.user["email"])
    assert left(here) == [1, 1, 0, 0]
    assert with_tokens(phone.nobody.client, phone.sign_in()).user["id"] == ann.user["id"]


@pytest.mark.parametrize("is_takeover", [True, False], ids=["takeover", "owner"])
def test_schedules_of_whoever_had_the_account_do_nothing_more_until_its_owner_wants_it(
    here: Platform, phone: App, ann: ApiUser, *, is_takeover: bool
) -> None:
    if not is_takeover:
        with here.runtime.sessions.begin() as session:
            session.get_one(User, ann.user["id"]).email_verified_at = func.now()
    ann.post("/webhook-endpoints/callback-secret")
    url = "https://mallory.example.com/"
    body = {"name": "hourly", "operation": "diagnostics.echo", "interval_s": 3600}
    made = ann.post("/schedules", {**body, "callback_url": url}).get_json()
    reset(here, phone.nobody, ann.user["email"])
    owner = signed_in(phone.nobody.client, ann.user["email"], NEW)
    found = owner.get(f"/schedules/{made['id']}").get_json()
    assert (found["paused"], found["callback_url"]) == (is_takeover, None if is_takeover else url)
    assert fire_due(here.runtime, datetime.now(UTC) + timedelta(hours=2)) == int(not is_takeover)
    with here.runtime.sessions() as session:
        noted = select(AuditEntry.target).where(AuditEntry.action == "schedule.paused")
        told = session.scalars(noted).all()
    assert told == [f"schedule:{made['id']}"] * is_takeover


@pytest.mark.parametrize("is_reset", [True, False], ids=["reset", "changed"])
def test_what_a_thief_of_a_session_began_ends_with_the_password(
    here: Platform, phone: App, cloud: Nextcloud, ann: ApiUser, *, is_reset: bool
) -> None:
    answer_url = cloud.allow(begin(ann).authorization_url)
    if is_reset:
        reset(here, phone.nobody, ann.user["email"])
    else:
        body = {"current_password": PASSWORD, "new_password": NEW}
        assert ann.post("/auth/password", body).status_code == 204
    assert error_of(opened(ann.client, answer_url), 400)["code"] == "OAUTH_STATE_UNKNOWN"


@pytest.mark.parametrize("is_reset", [True, False], ids=["reset", "changed"])
def test_an_address_that_was_asked_for_before_a_new_password_is_never_the_accounts(
    here: Platform, phone: App, ann: ApiUser, *, is_reset: bool
) -> None:
    token = address_asked_for(here, ann, "mallory@example.com")
    if is_reset:
        reset(here, phone.nobody, ann.user["email"])
    else:
        body = {"current_password": PASSWORD, "new_password": NEW}
        assert ann.post("/auth/password", body).status_code == 204
    error_of(phone.nobody.get(f"/auth/verify-email?token={token}"), 422)


@pytest.mark.parametrize("is_reset", [True, False], ids=["reset", "changed"])
def test_nor_is_one_whose_mail_was_still_to_be_written(
    here: Platform, phone: App, ann: ApiUser, *, is_reset: bool
) -> None:
    link = token_of_reset(here, phone.nobody, ann.user["email"]) if is_reset else ""
    asked_for = account()["email"]
    body = {"email": asked_for, "password": PASSWORD}
    assert ann.send("PATCH", "/users/me", json=body).status_code == 200
    if is_reset:
        confirm(phone.nobody, link)
    else:
        body = {"current_password": PASSWORD, "new_password": NEW}
        assert ann.post("/auth/password", body).status_code == 204
    assert mails_to(here, asked_for) == []
    with here.runtime.sessions() as session:
        assert session.scalars(select(MailedLink.email)).all() == []


def test_a_promoted_account_has_no_way_in_but_its_new_password(
    here: Platform, phone: App, squatter: ApiUser
) -> None:
    begin(squatter)
    create_admin(here.runtime.sessions, VICTIM, NEW, promote=end_ways_in)
    assert left(here) == [0, 0, 0, 0]
    error_of(phone.sign_in(), 409)
    with here.runtime.sessions() as session:
        links: Any = session.scalar(select(func.count()).select_from(MailedLink))
    assert links == 0


def test_a_session_alone_gives_an_account_no_way_in_for_longer_than_a_moment(
    here: Platform, phone: App, cloud: Nextcloud, ann: ApiUser
) -> None:
    connected(ann, cloud)
    grow_old(here)
    stolen, body = ann, {"password": "a guess of the thief"}
    refused = error_of(stolen.post("/connections/nextcloud", {}), 403)
    assert refused["code"] == "SIGN_IN_AGAIN"
    refused = error_of(stolen.post("/connections/nextcloud", body), 401)
    assert refused["code"] == "INVALID_CREDENTIALS"
    renewed = with_tokens(
        ann.client, ann.post("/auth/refresh", {"refresh_token": ann.refresh_token})
    )
    error_of(renewed.post("/connections/nextcloud", {}), 403)
    assert ann.post("/connections/nextcloud", {"password": PASSWORD}).status_code == 201
    anew = signed_in(phone.nobody.client, ann.user["email"])
    assert anew.post("/connections/nextcloud", {}).status_code == 201


def test_nor_does_the_cookie_of_a_browser(here: Platform, app: Flask, ann: ApiUser) -> None:
    client = app.test_client()
    body = {"email": ann.user["email"], "password": PASSWORD}
    client.post(f"{API}/auth/session", json=body)
    assert client.get(f"{API}/auth/nextcloud").status_code == 200
    grow_old(here)
    assert error_of(client.get(f"{API}/auth/nextcloud"), 403)["code"] == "SIGN_IN_AGAIN"


def grow_old(platform: Platform) -> None:
    """Every session was started an hour ago."""
    with platform.runtime.sessions.begin() as session:
        session.execute(update(UserSession).values(created_at=func.now() - timedelta(hours=1)))
