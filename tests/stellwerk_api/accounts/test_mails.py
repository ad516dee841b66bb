"""Mails prove who reads an address, and no answer tells whether it has an account."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select, text

from api import PASSWORD, ApiUser, account, error_of, signed_in
from mails import mails_to, text_of, token_in, write_mails
from stellwerk.bootstrap import Platform
from stellwerk.identity.model import MailedLink, User
from stellwerk.identity.service import by_email
from stellwerk_api.app import create_app

NEW = "a new and longer password"


def registered(nobody: ApiUser) -> str:
    body = account()
    assert nobody.post("/auth/register", body).status_code == 202
    return body["email"]


def user_of(platform: Platform, email: str) -> User:
    with platform.runtime.sessions() as session:
        found = by_email(session, email)
    assert found
    return found


def last_token(platform: Platform, email: str) -> str:
    return token_in(mails_to(platform, email)[-1])


def forgot(platform: Platform, nobody: ApiUser, email: str) -> str:
    assert nobody.post("/auth/password-reset", {"email": email}).status_code == 202
    return last_token(platform, email)


def confirm(nobody: ApiUser, token: str, password: str = NEW) -> Any:
    return nobody.post("/auth/password-reset/confirm", {"token": token, "password": password})


def test_a_new_account_is_written_to_and_its_link_verifies_it_once(
    platform: Platform, nobody: ApiUser
) -> None:
    email = registered(nobody)
    (mail,) = mails_to(platform, email)
    assert f"{platform.settings.base_url()}/api/v1/auth/verify-email?token=" in text_of(mail)
    assert user_of(platform, email).email_verified_at is None
    path = f"/auth/verify-email?token={token_in(mail)}"
    assert nobody.get(path).status_code == 200
    assert user_of(platform, email).email_verified_at
    assert error_of(nobody.get(path), 422)["code"] == "LINK_NOT_VALID"


def test_whoever_registers_an_address_again_changes_nothing_but_its_owner_is_told(
    platform: Platform, nobody: ApiUser
) -> None:
    email = registered(nobody)
    first = user_of(platform, email)
    nobody.post("/auth/register", {"email": email.upper(), "password": NEW})
    _, told = mails_to(platform, email)
    assert "token=" not in text_of(told)
    assert user_of(platform, email).password_hash == first.password_hash


def test_the_first_mail_can_be_asked_for_again(platform: Platform, nobody: ApiUser) -> None:
    email = registered(nobody)
    again = nobody.post("/auth/verify-email", {"email": email})
    unknown = nobody.post("/auth/verify-email", {"email": "x@example.com"})
    assert (
        (again.status_code, again.data) == (unknown.status_code, unknown.data) == (202, again.data)
    )
    first, second = mails_to(platform, email)
    assert nobody.get(f"/auth/verify-email?token={token_in(second)}").status_code == 200
    assert nobody.get(f"/auth/verify-email?token={token_in(first)}").status_code == 200
    assert mails_to(platform, "x@example.com") == []
    nobody.post("/auth/verify-email", {"email": email})
    assert len(mails_to(platform, email)) == 2  # there is nothing to verify any more


def test_an_unverified_address_signs_in_once_it_is_verified(
    platform: Platform, nobody: ApiUser
) -> None:
    strict = platform.settings.model_copy(update={"allow_unverified_login": False})
    runtime = replace(platform.runtime, settings=strict)
    here = ApiUser(create_app(replace(platform, settings=strict, runtime=runtime)).test_client())
    email = registered(nobody)
    error_of(here.post("/auth/login", {"email": email, "password": PASSWORD}), 403)
    nobody.get(f"/auth/verify-email?token={last_token(platform, email)}")
    assert here.post("/auth/login", {"email": email, "password": PASSWORD}).status_code == 200


def test_only_hashes_of_links_are_stored(platform: Platform, nobody: ApiUser) -> None:
    token = last_token(platform, registered(nobody))
    with platform.runtime.sessions() as session:
        rows = str(session.execute(text("SELECT * FROM mailed_links")).all())
    assert token not in rows


@pytest.mark.parametrize("language", ["en", "de"])
def test_mails_are_in_the_language_that_the_client_prefers(
    platform: Platform, nobody: ApiUser, language: str
) -> None:
    body = account()
    headers = {"Accept-Language": f"fr, {language};q=0.8"}
    nobody.post("/auth/register", body, headers=headers)
    (mail,) = mails_to(platform, body["email"])
    assert ("Adresse" in text_of(mail)) == (language == "de")


def test_a_reset_sets_the_password_once_and_ends_every_session(
    platform: Platform, nobody: ApiUser, ada: ApiUser
) -> None:
    email = ada.user["email"]
    elsewhere = signed_in(ada.client, email)
    token = forgot(platform, nobody, email)
    assert nobody.get(f"/auth/password-reset?token={token}").status_code == 200
    assert ada.get("/jobs").status_code == 200
    assert confirm(nobody, token).status_code == 204
    for one in (ada, elsewhere):
        error_of(one.get("/jobs"), 401)
        error_of(one.post("/auth/refresh", {"refresh_token": one.refresh_token}), 401)
    error_of(nobody.post("/auth/login", {"email": email, "password": PASSWORD}), 401)
    assert signed_in(ada.client, email, NEW).get("/jobs").status_code == 200
    assert error_of(confirm(nobody, token), 422)["code"] == "LINK_NOT_VALID"
    assert "token=" not in text_of(mails_to(platform, email)[-1])  # the owner is told


def test_a_new_password_voids_the_links_sent_before(platform: Platform, nobody: ApiUser) -> None:
    email = registered(nobody)
    first, second = (forgot(platform, nobody, email) for _ in range(2))
    assert confirm(nobody, second).status_code == 204
    error_of(confirm(nobody, first), 422)


def test_a_link_is_good_for_its_purpose_and_its_time_only(
    platform: Platform, nobody: ApiUser
) -> None:
    email = registered(nobody)
    verifying = last_token(platform, email)
    error_of(confirm(nobody, verifying), 422)
    resetting = forgot(platform, nobody, email)
    error_of(nobody.get(f"/auth/verify-email?token={resetting}"), 422)
    with platform.runtime.sessions.begin() as session:
        lasts_s = func.extract("epoch", MailedLink.expires_at - MailedLink.created_at)
        found = session.scalars(select(lasts_s).order_by(lasts_s))
        assert [round(float(seconds) / 3600) for seconds in found] == [1, 24]
        session.execute(text("UPDATE mailed_links SET expires_at = now()"))
    error_of(confirm(nobody, resetting), 422)
    error_of(nobody.get(f"/auth/verify-email?token={verifying}"), 422)


def test_a_short_password_leaves_the_link_good(platform: Platform, nobody: ApiUser) -> None:
    token = forgot(platform, nobody, registered(nobody))
    error_of(confirm(nobody, token, "short"), 422)
    assert confirm(nobody, token).status_code == 204


def test_a_reset_verifies_the_address_and_ends_keys_that_somebody_else_may_have_made(
    platform: Platform, nobody: ApiUser
) -> None:
    email = registered(nobody)
    squatter = signed_in(nobody.client, email).with_key()
    assert squatter.get("/jobs").status_code == 200
    assert confirm(nobody, forgot(platform, nobody, email)).status_code == 204
    error_of(squatter.get("/jobs"), 401)
    assert user_of(platform, email).email_verified_at
    owner = signed_in(nobody.client, email, NEW).with_key()
    assert confirm(nobody, forgot(platform, nobody, email)).status_code == 204
    assert owner.get("/jobs").status_code == 200


def test_nobody_learns_from_a_reset_whether_an_address_has_an_account(
    platform: Platform, nobody: ApiUser, ada: ApiUser
) -> None:
    known = nobody.post("/auth/password-reset", {"email": ada.user["email"]})
    unknown = nobody.post("/auth/password-reset", {"email": "x@example.com"})
    assert (known.status_code, known.data) == (unknown.status_code, unknown.data)
    assert mails_to(platform, "x@example.com") == []


def test_a_disabled_account_is_not_written_to(
    platform: Platform, nobody: ApiUser, ada: ApiUser
) -> None:
    with platform.runtime.sessions.begin() as session:
        session.get_one(User, ada.user["id"]).is_active = False
    nobody.post("/auth/password-reset", {"email": ada.user["email"]})
    assert mails_to(platform, ada.user["email"]) == []


def test_a_changed_password_ends_every_session_and_is_told(
    platform: Platform, ada: ApiUser
) -> None:
    elsewhere = signed_in(ada.client, ada.user["email"])
    key = ada.with_key()
    body = {"current_password": PASSWORD, "new_password": NEW}
    assert ada.post("/auth/password", body).status_code == 204
    for one in (ada, elsewhere):
        error_of(one.get("/jobs"), 401)
        error_of(one.post("/auth/refresh", {"refresh_token": one.refresh_token}), 401)
    assert key.get("/jobs").status_code == 200
    assert signed_in(ada.client, ada.user["email"], NEW).get("/jobs").status_code == 200
    assert len(mails_to(platform, ada.user["email"])) == 1


def test_a_password_is_changed_by_whoever_knows_it(ada: ApiUser) -> None:
    body = {"current_password": "not hers", "new_password": NEW}
    assert error_of(ada.post("/auth/password", body), 401)["code"] == "INVALID_CREDENTIALS"
    short = {"current_password": PASSWORD, "new_password": "short"}
    error_of(ada.post("/auth/password", short), 422)
    error_of(ada.with_key().post("/auth/password", body), 403)
    assert ada.get("/jobs").status_code == 200


def test_another_address_is_the_accounts_once_its_mail_was_answered(
    platform: Platform, nobody: ApiUser, ada: ApiUser
) -> None:
    body = {"email": "Ada@Example.org", "password": PASSWORD}
    changed = ada.send("PATCH", "/users/me", json=body)
    assert (changed.status_code, changed.get_json()["email"]) == (200, ada.user["email"])
    reset = forgot(platform, nobody, ada.user["email"])
    token = last_token(platform, "Ada@example.org")
    assert nobody.get(f"/auth/verify-email?token={token}").status_code == 200
    said = ada.get("/users/me").get_json()
    assert said["email"] == "Ada@example.org"
    assert said["email_verified_at"]
    error_of(confirm(nobody, reset), 422)  # it went to the former address


def test_the_former_address_is_told_where_it_was_proved(
    platform: Platform, nobody: ApiUser
) -> None:
    former = registered(nobody)
    ada = signed_in(nobody.client, former)
    middle, last = (account()["email"] for _ in range(2))
    for address in (middle, last):
        ada.send("PATCH", "/users/me", json={"email": address, "password": PASSWORD})
        nobody.get(f"/auth/verify-email?token={last_token(platform, address)}")
    subject = "The address of your account was changed"
    assert [mail["Subject"] for mail in mails_to(platform, middle)][1:] == [subject]
    for address in (former, last):
        assert subject not in [mail["Subject"] for mail in mails_to(platform, address)]


def test_a_change_of_address_needs_the_password(ada: ApiUser) -> None:
    for body in ({"email": "new@example.com"}, {"password": PASSWORD}):
        error = error_of(ada.send("PATCH", "/users/me", json=body), 422)
        assert error["details"]["field"] == "password"
    body = {"email": "new@example.com", "password": "not hers"}
    error_of(ada.send("PATCH", "/users/me", json=body), 401)
    error_of(ada.send("PATCH", "/users/me", json={"email": "new", "password": PASSWORD}), 422)


def test_an_address_of_somebody_else_stays_theirs(
    platform: Platform, ada: ApiUser, bob: ApiUser
) -> None:
    body = {"email": bob.user["email"], "password": PASSWORD}
    assert ada.send("PATCH", "/users/me", json=body).status_code == 200
    (told,) = mails_to(platform, bob.user["email"])
    assert "token=" not in text_of(told)


def test_an_address_that_was_taken_meanwhile_is_409(
    platform: Platform, nobody: ApiUser, ada: ApiUser
) -> None:
    body = account()
    ada.send("PATCH", "/users/me", json={"email": body["email"], "password": PASSWORD})
    token = last_token(platform, body["email"])
    nobody.post("/auth/register", body)
    error_of(nobody.get(f"/auth/verify-email?token={token}"), 409)
    assert ada.get("/users/me").get_json()["email"] == ada.user["email"]


def test_what_is_written_shows_in_nobodys_list(
    platform: Platform, nobody: ApiUser, ada: ApiUser
) -> None:
    nobody.post("/auth/password-reset", {"email": ada.user["email"]})
    write_mails(platform)
    assert ada.get("/jobs").get_json()["items"] == []
    with platform.runtime.sessions() as session:
        assert session.scalar(text("SELECT count(*) FROM jobs WHERE owner_id IS NOT NULL")) == 0
        assert session.scalar(select(func.count()).select_from(MailedLink)) == 1
