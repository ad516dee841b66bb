"""What becomes of accounts and sessions is on record."""

from typing import Any

import pytest
from sqlalchemy import select, text

from api import PASSWORD, ApiUser, account, error_of, renewed, signed_in
from attempts import attempt
from mails import mails_to, token_in
from stellwerk.audit.verification import Span, findings
from stellwerk.bootstrap import Platform
from stellwerk.identity import signing_keys
from stellwerk.jobs.model import Job
from stellwerk_workers.reports import Came

NEW = "a new and longer password"
A_MINUTE_AGO = text("UPDATE refresh_tokens SET spent_at = spent_at - interval '1 minute'")


def recorded(admin: ApiUser, query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = admin.get(f"/audit?limit=200&{query}").get_json()["items"]
    return [entry for entry in found if entry["action"] != "audit.read"]


def about(admin: ApiUser, user_id: object) -> list[str]:
    """Actions about somebody, the oldest first."""
    return [str(entry["action"]) for entry in recorded(admin, f"subject={user_id}")][::-1]


def registered(nobody: ApiUser) -> ApiUser:
    """Somebody who has registered, and signed in."""
    body = account()
    assert nobody.post("/auth/register", body).status_code == 202
    return signed_in(nobody.client, body["email"])


def test_signing_up_in_and_out_is_recorded(admin: ApiUser, nobody: ApiUser) -> None:
    ada = registered(nobody)
    assert ada.post("/auth/logout").status_code == 204
    user_id = ada.user["id"]
    assert about(admin, user_id) == ["session.started", "session.ended"]
    (made,) = recorded(admin, f"target=user:{user_id}")
    assert (made["action"], made["subject"]) == ("account.registered", None)
    started, ended = (entry["target"] for entry in recorded(admin, f"actor={user_id}"))
    assert started == ended
    assert started.startswith("session:")


def test_registering_an_address_again_is_recorded(
    admin: ApiUser, ada: ApiUser, nobody: ApiUser
) -> None:
    assert nobody.post("/auth/register", account(email=ada.user["email"])).status_code == 202
    (entry,) = recorded(admin, f"target=user:{ada.user['id']}")
    assert entry["action"] == "account.registered_again"


@pytest.mark.parametrize(
    ("password", "fields", "why"),
    [
        ("wrong password", {}, "wrong password"),
        (PASSWORD, {"is_active": False}, "disabled"),
    ],
)
def test_a_refused_sign_in_is_recorded_with_the_reason_that_is_not_told(
    admin: ApiUser, ada: ApiUser, password: str, fields: dict[str, Any], why: str
) -> None:
    if fields:
        assert admin.send("PATCH", f"/users/{ada.user['id']}", json=fields).status_code == 200
    nobody, email = ApiUser(ada.client), ada.user["email"]
    error_of(nobody.post("/auth/login", {"email": email, "password": password}), 401)
    (entry,) = recorded(admin, "action=session.refused")
    assert entry["actor_kind"] == "nobody"
    assert entry["subject_user_id"] == ada.user["id"]
    assert entry["details"] == {"email": email, "why": why}
    assert entry["origin"]["address"] == "127.0.0.1"


def test_a_refused_sign_in_of_an_unknown_address_is_recorded_about_nobody(
    admin: ApiUser, nobody: ApiUser
) -> None:
    body = {"email": "nobody@example.com", "password": PASSWORD}
    error_of(nobody.post("/auth/login", body), 401)
    (entry,) = recorded(admin, "action=session.refused")
    assert entry["subject"] is None
    assert entry["details"] == {"email": "nobody@example.com", "why": "unknown"}


def test_a_refresh_token_that_comes_back_is_recorded(
    platform: Platform, admin: ApiUser, ada: ApiUser
) -> None:
    renewed(ada)
    with platform.runtime.sessions.begin() as session:
        session.execute(A_MINUTE_AGO)
    stolen = {"refresh_token": ada.refresh_token}
    error_of(ApiUser(ada.client).post("/auth/refresh", stolen), 401)
    (entry,) = recorded(admin, "action=session.refresh_reused")
    assert entry["subject_user_id"] == ada.user["id"]
    assert entry["actor_kind"] == "nobody"


def test_changed_and_forgotten_passwords_and_addresses_are_recorded(
    platform: Platform, admin: ApiUser, nobody: ApiUser
) -> None:
    ada = registered(nobody)
    email = str(ada.user["email"])
    token = token_in(mails_to(platform, email)[-1])
    assert nobody.get(f"/auth/verify-email?token={token}").status_code == 200
    body = {"current_password": PASSWORD, "new_password": NEW}
    assert ada.post("/auth/password", body).status_code == 204
    assert nobody.post("/auth/password-reset", {"email": email}).status_code == 202
    token = token_in(mails_to(platform, email)[-1])
    body = {"token": token, "password": PASSWORD}
    assert nobody.post("/auth/password-reset/confirm", body).status_code == 204
    ada = signed_in(ada.client, email)
    body = {"email": f"new-{email}", "password": PASSWORD}
    assert ada.send("PATCH", "/users/me", json=body).status_code == 200
    token = token_in(mails_to(platform, f"new-{email}")[-1])
    assert nobody.get(f"/auth/verify-email?token={token}").status_code == 200
    assert about(admin, ada.user["id"]) == [
        "session.started",
        "account.verified",
        "password.changed",
        "password.reset",
        "session.started",
        "account.email_changed",
    ]
    (changed,) = recorded(admin, "action=account.email_changed")
    assert changed["details"] == {"from": email, "to": f"new-{email}"}


def test_what_an_admin_changes_of_an_account_is_recorded(admin: ApiUser, ada: ApiUser) -> None:
    path = f"/users/{ada.user['id']}"
    for change in (
        {"role": "operator", "subscription_tier": "pro"},
        {"subscription_tier": "pro"},
        {"is_active": False},
        {"is_active": True},
    ):
        assert admin.send("PATCH", path, json=change).status_code == 200
    enabled, disabled, changed = recorded(admin, f"subject={ada.user['id']}")[:3]
    assert changed["details"] == {
        "role": ["user", "operator"],
        "subscription_tier": ["free", "pro"],
    }
    assert [enabled["action"], disabled["action"]] == ["account.enabled", "account.disabled"]
    assert disabled["actor_user_id"] == admin.user["id"]


def test_keys_and_admins_made_at_the_command_line_are_recorded(
    platform: Platform, admin: ApiUser
) -> None:
    with platform.runtime.sessions.begin() as session:
        signing_keys.rotate(session, platform.settings, platform.runtime.vault)
    (rotated,) = recorded(admin, "action=signing_key.rotated")
    assert rotated["target"].startswith("signing_key:")
    (made,) = recorded(admin, "action=account.installed")
    assert (made["actor_kind"], made["subject_user_id"]) == ("command_line", admin.user["id"])


def test_what_is_asked_and_done_about_personal_data_is_recorded(
    platform: Platform, admin: ApiUser, ada: ApiUser
) -> None:
    ada.post("/privacy/export", {"password": PASSWORD})
    request_id = ada.post("/privacy/delete", {"password": PASSWORD}).get_json()["id"]
    assert about(admin, ada.user["id"]) == [
        "session.started",
        "account.export_requested",
        "account.erasure_requested",
    ]
    with platform.runtime.sessions() as session:
        job_id = session.scalars(select(Job.id).where(Job.operation == "privacy.erase")).one()
    while attempt(platform.runtime, job_id) is not Came.COMPLETED:
        pass
    erased, asked = recorded(admin, f"target=privacy_request:{request_id}")
    assert [erased["action"], asked["action"]] == ["account.erased", "account.erasure_requested"]
    assert (asked["erased"], asked["actor_user_id"], asked["origin"]) == (True, None, None)
    assert about(admin, ada.user["id"]) == []
    with platform.runtime.sessions() as session:
        assert list(findings(session, platform.runtime.vault, Span())) == []
