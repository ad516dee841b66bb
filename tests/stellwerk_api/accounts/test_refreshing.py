"""Refresh tokens: each is good once, a lost answer logs nobody out, and a thief is noticed."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from api import ApiUser, error_of, renewed, signed_in
from stellwerk.bootstrap import Platform
from stellwerk.identity.model import RefreshToken, User
from stellwerk_api.app import create_app

A_MINUTE_AGO = text("UPDATE refresh_tokens SET spent_at = spent_at - interval '1 minute'")


def refresh(user: ApiUser) -> Any:
    return ApiUser(user.client).post("/auth/refresh", {"refresh_token": user.refresh_token})


def after_the_grace(platform: Platform) -> None:
    with platform.runtime.sessions.begin() as session:
        session.execute(A_MINUTE_AGO)


def test_a_refresh_gives_the_next_tokens_of_the_same_session(ada: ApiUser) -> None:
    said = refresh(ada).get_json()
    assert (said["token_type"], said["expires_in"]) == ("bearer", 3600)
    assert said["user"]["email"] == ada.user["email"]
    assert said["refresh_token"] != ada.refresh_token
    bearer = {"Authorization": f"Bearer {said['access_token']}"}
    standing = ada.get("/listeners/me").get_json()
    assert (
        ada.get("/listeners/me", headers=bearer).get_json()["credential"]
        == (standing["credential"])
    )


def test_a_session_is_renewed_again_and_again(ada: ApiUser) -> None:
    shown = {ada.refresh_token}
    for _ in range(5):
        ada = renewed(ada)
        shown.add(ada.refresh_token)
    assert len(shown) == 6
    assert ada.get("/jobs").status_code == 200


def test_only_hashes_are_stored(platform: Platform, ada: ApiUser) -> None:
    later = renewed(ada)
    with platform.runtime.sessions() as session:
        rows = str(session.execute(text("SELECT * FROM refresh_tokens")).all())
    for token in (ada.refresh_token, later.refresh_token):
        assert token.removeprefix("swr_") not in rows


def test_a_spent_token_that_comes_back_ends_its_whole_family(
    platform: Platform, ada: ApiUser
) -> None:
    elsewhere = signed_in(ada.client, ada.user["email"])
    second = renewed(ada)
    third = renewed(second)
    after_the_grace(platform)
    assert third.get("/jobs").status_code == 200
    error_of(refresh(ada), 401)
    for one in (ada, second, third):
        error_of(one.get("/jobs"), 401)
        error_of(refresh(one), 401)
    assert elsewhere.get("/jobs").status_code == 200
    assert refresh(elsewhere).status_code == 200


def test_a_lost_answer_is_told_once_more(ada: ApiUser) -> None:
    answers = [refresh(ada).get_json() for _ in range(3)]
    assert len({said["refresh_token"] for said in answers}) == 1
    for said in answers:
        bearer = {"Authorization": f"Bearer {said['access_token']}"}
        assert ada.get("/jobs", headers=bearer).status_code == 200


def test_once_the_answer_was_used_the_same_request_is_a_thief(ada: ApiUser) -> None:
    second = renewed(ada)
    assert refresh(second).status_code == 200
    error_of(refresh(ada), 401)
    error_of(second.get("/jobs"), 401)


def test_after_the_grace_the_same_request_is_a_thief(platform: Platform, ada: ApiUser) -> None:
    second = renewed(ada)
    after_the_grace(platform)
    error_of(refresh(ada), 401)
    error_of(refresh(second), 401)


def test_without_a_grace_every_repetition_is_a_thief(platform: Platform, ada: ApiUser) -> None:
    strict = platform.settings.model_copy(update={"refresh_grace_s": 0.0})
    app = create_app(
        replace(platform, settings=strict, runtime=replace(platform.runtime, settings=strict))
    )
    here = replace(ada, client=app.test_client())
    assert refresh(here).status_code == 200
    error_of(refresh(here), 401)


def test_twenty_at_once_leave_one_successor(
    application: Flask, platform: Platform, ada: ApiUser
) -> None:
    def ask(_: int) -> Any:
        return refresh(replace(ada, client=application.test_client()))

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(ask, range(20)))
    assert {answer.status_code for answer in answers} == {200}
    (successor,) = {answer.get_json()["refresh_token"] for answer in answers}
    with platform.runtime.sessions() as session:
        unspent = select(func.count()).where(RefreshToken.spent_at.is_(None))
        assert session.scalar(unspent) == 1
    assert refresh(replace(ada, refresh_token=successor)).status_code == 200


@pytest.mark.parametrize("token", ["x", "swr_" + "0" * 64, "swk_" + "x" * 40])
def test_what_nobody_was_given_is_refused(nobody: ApiUser, token: str) -> None:
    error_of(nobody.post("/auth/refresh", {"refresh_token": token}), 401)


def test_a_session_that_ended_is_not_renewed(ada: ApiUser) -> None:
    assert ada.post("/auth/logout").status_code == 204
    error_of(refresh(ada), 401)


def test_an_unused_session_ends_after_a_week(platform: Platform, ada: ApiUser) -> None:
    second = renewed(ada)
    with platform.runtime.sessions.begin() as session:
        session.execute(text("UPDATE refresh_tokens SET expires_at = expires_at - interval '7 d'"))
    error_of(refresh(second), 401)
    assert second.get("/jobs").status_code == 200  # its time is over, but nobody stole it


def test_a_disabled_user_renews_nothing(platform: Platform, ada: ApiUser) -> None:
    with platform.runtime.sessions.begin() as session:
        session.get_one(User, ada.user["id"]).is_active = False
    error_of(refresh(ada), 401)


def test_an_emptied_redis_neither_ends_nor_revives_a_family(
    platform: Platform, ada: ApiUser, bob: ApiUser
) -> None:
    stolen = ada
    ada = renewed(ada)
    after_the_grace(platform)
    error_of(refresh(stolen), 401)
    platform.live_client.redis.flushdb()
    error_of(ada.get("/jobs"), 401)
    error_of(refresh(ada), 401)
    bob = renewed(bob)
    assert bob.get("/jobs").status_code == 200


def test_tokens_for_telephony_last_a_quarter_of_an_hour_and_may_do_more(ada: ApiUser) -> None:
    body = {"email": ada.user["email"], "password": "correct horse battery staple"}
    said = ada.post("/auth/login", {**body, "audience": "telephony"}).get_json()
    assert said["expires_in"] == 900
    again = refresh(replace(ada, refresh_token=said["refresh_token"])).get_json()
    assert again["expires_in"] == 900  # a renewal does not make more of it
    error = error_of(ada.post("/auth/login", {**body, "audience": "everything"}), 422)
    assert error["details"]["field"] == "audience"
