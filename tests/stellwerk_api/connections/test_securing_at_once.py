"""Requests that were let in before a new password, and carried out after it, bring nobody back."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from flask import Flask
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from api import PASSWORD, ApiUser, error_of
from connecting import App, begin, connected, opened
from embedded import wait_until
from locks import waits_for_a_lock
from mails import mails_to, token_in
from nextcloud import Nextcloud
from stellwerk.bootstrap import Platform
from stellwerk.connections.model import OauthConnection, OauthIdentity, OauthState
from stellwerk.identity.model import ApiKey, User, UserSession

NEW = "a new and longer password"

Send = Callable[[], TestResponse]


@dataclass(frozen=True, slots=True)
class Owner:
    """Whoever reads the mails of an account that another has."""

    here: Platform
    nobody: ApiUser
    squatter: ApiUser

    def meanwhile(self, under_way: Send) -> TestResponse:
        """What a request answers that waits for the user's row behind a reset."""
        email = self.squatter.user["email"]
        self.nobody.post("/auth/password-reset", {"email": email})
        body = {"token": token_in(mails_to(self.here, email)[-1]), "password": NEW}
        return self.behind(
            lambda: self.nobody.post("/auth/password-reset/confirm", body), under_way
        )

    def behind(self, first: Send, then: Send) -> TestResponse:
        """The second answer, where both wait for the user's row at once."""
        with ThreadPoolExecutor(2) as threads:
            with self.here.runtime.sessions.begin() as session:
                user_id = int(self.squatter.user["id"])
                session.get_one(User, user_id, with_for_update={"key_share": True})
                before = threads.submit(first)
                wait_until(lambda: waits_for_a_lock(self.here) == 1)
                after = threads.submit(then)
                wait_until(lambda: waits_for_a_lock(self.here) == 2)
            assert before.result(timeout=60).status_code == 204
            return after.result(timeout=60)

    def held(self, kind: type) -> int:
        """How many rows of it there are."""
        with self.here.runtime.sessions() as session:
            return session.scalar(select(func.count()).select_from(kind)) or 0


@pytest.fixture
def owner(here: Platform, app: Flask, ann: ApiUser) -> Owner:
    return Owner(here, ApiUser(app.test_client()), ann)


def test_a_key_that_was_asked_for_during_a_reset_is_not_made(owner: Owner, ann: ApiUser) -> None:
    error_of(owner.meanwhile(lambda: ann.post("/api-keys", {"name": "mine"})), 401)
    assert owner.held(ApiKey) == 0


def test_nor_is_one_rotated_during_a_change_of_the_password(
    app: Flask, owner: Owner, ann: ApiUser
) -> None:
    key = ann.with_key()
    elsewhere = ApiUser(app.test_client(), ann.credentials)
    body = {"current_password": PASSWORD, "new_password": NEW}
    path = f"/api-keys/{key.user['key_id']}/rotate"
    answer = owner.behind(
        lambda: elsewhere.post("/auth/password", body), lambda: ann.post(path, {})
    )
    error_of(answer, 401)
    assert owner.held(ApiKey) == 1


def test_an_account_whose_answer_came_before_a_reset_is_not_connected_after_it(
    owner: Owner, ann: ApiUser, cloud: Nextcloud
) -> None:
    answer_url = cloud.allow(begin(ann).authorization_url)
    refused = error_of(owner.meanwhile(lambda: opened(ann.client, answer_url)), 400)
    assert refused["code"] == "OAUTH_STATE_UNKNOWN"
    assert (owner.held(OauthConnection), owner.held(OauthIdentity), cloud.tokens) == (0, 0, [])


def test_nor_is_one_that_was_asked_for_during_it(owner: Owner, ann: ApiUser) -> None:
    error_of(owner.meanwhile(lambda: ann.post("/connections/nextcloud", {})), 401)
    assert owner.held(OauthState) == 0


def test_an_account_that_a_reset_disconnects_signs_nobody_in_behind_it(
    owner: Owner, phone: App, cloud: Nextcloud, ann: ApiUser
) -> None:
    connected(ann, cloud)
    error_of(owner.meanwhile(phone.sign_in), 409)
    with owner.here.runtime.sessions() as session:
        live = session.scalars(select(UserSession.id).where(UserSession.ended_at.is_(None))).all()
    assert live == []
