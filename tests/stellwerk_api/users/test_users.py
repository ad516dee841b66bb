"""What administrators see and change of accounts."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from api import ApiUser, error_of, signed_in
from people import add_user
from stellwerk.bootstrap import Platform
from stellwerk.connections.securing import end_ways_in
from stellwerk.identity.service import create_admin


def change(admin: ApiUser, user: ApiUser, **fields: Any) -> Any:
    return admin.send("PATCH", f"/users/{user.user['id']}", json=fields)


def test_accounts_are_listed_newest_first_page_by_page(platform: Platform, admin: ApiUser) -> None:
    made = [add_user(platform) for _ in range(5)]
    listed: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = admin.get(f"/users/?limit=2{cursor}").get_json()
        listed += [user["id"] for user in answer["items"]]
        cursor = answer["next_cursor"] and f"&cursor={answer['next_cursor']}"
    assert listed == [*reversed(made), admin.user["id"]]


def test_accounts_are_found_by_address_role_tier_and_standing(
    platform: Platform, admin: ApiUser, ada: ApiUser
) -> None:
    add_user(platform, subscription_tier="pro", is_active=False)
    found = {
        query: len(admin.get(f"/users/?{query}").get_json()["items"])
        for query in (
            f"email={str(ada.user['email']).upper()}",
            "email=nobody@example.com",
            "role=admin",
            "tier=pro",
            "is_active=false",
            "is_active=true&role=user",
        )
    }
    assert list(found.values()) == [1, 0, 1, 1, 1, 1]
    error_of(admin.get("/users/?tier=gold"), 422)


def test_an_account_shows_its_limits_and_those_of_its_own(admin: ApiUser, ada: ApiUser) -> None:
    changed = change(admin, ada, subscription_tier="pro", channels_limit=3, monthly_budget=12.5)
    assert changed.status_code == 200, changed.text
    said = admin.get(f"/users/{ada.user['id']}").get_json()
    assert said == changed.get_json()
    assert (said["channels_limit"], said["daily_video_limit"], said["monthly_budget"]) == (
        3,
        20,
        12.5,
    )
    own = {"channels_limit": 3, "daily_video_limit": None, "monthly_budget": 12.5}
    assert said["own_limits"] == own
    assert ada.get("/users/me").get_json()["channels_limit"] == 3
    assert change(admin, ada, channels_limit=None).get_json()["channels_limit"] == 10


def test_an_unknown_account_is_404(admin: ApiUser) -> None:
    error_of(admin.get("/users/999999"), 404)
    error_of(admin.send("PATCH", "/users/999999", json={"is_active": False}), 404)


@pytest.mark.parametrize("field", ["email", "password_hash", "id", "created_at"])
def test_what_nobody_decides_cannot_be_changed(admin: ApiUser, ada: ApiUser, field: str) -> None:
    error_of(change(admin, ada, **{field: "x"}), 422)


def test_a_disabled_user_is_out_at_once_with_every_session_and_key(
    admin: ApiUser, ada: ApiUser
) -> None:
    key = ada.with_key()
    elsewhere = signed_in(ada.client, ada.user["email"])
    for one in (ada, elsewhere, key):
        assert one.get("/jobs").status_code == 200  # and Redis has a copy
    assert change(admin, ada, is_active=False).status_code == 200
    for one in (ada, elsewhere, key):
        error_of(one.get("/jobs"), 401)
    error_of(ada.post("/auth/refresh", {"refresh_token": ada.refresh_token}), 401)
    assert change(admin, ada, is_active=True).status_code == 200
    error_of(ada.get("/jobs"), 401)
    assert signed_in(ada.client, ada.user["email"]).get("/jobs").status_code == 200
    assert key.get("/jobs").status_code == 200


def test_another_role_counts_at_once(admin: ApiUser, ada: ApiUser) -> None:
    key = ada.with_key()
    error_of(key.get("/queues"), 403)
    assert change(admin, ada, role="operator").status_code == 200
    error_of(ada.get("/jobs"), 401)
    assert key.get("/queues").status_code == 200
    assert signed_in(ada.client, ada.user["email"]).get("/queues").status_code == 200
    change(admin, ada, role="user")
    error_of(key.get("/queues"), 403)


def test_the_last_administrator_stays_one(admin: ApiUser, ada: ApiUser) -> None:
    for fields in ({"is_active": False}, {"role": "user"}):
        assert error_of(change(admin, admin, **fields), 409)["code"] == "LAST_ADMIN"
    assert change(admin, admin, subscription_tier="pro").status_code == 200
    assert admin.get("/users/").status_code == 200
    change(admin, ada, role="admin")
    assert change(admin, admin, role="user").status_code == 200


def test_two_administrators_who_demote_each_other_leave_one(
    application: Flask, platform: Platform, admin: ApiUser
) -> None:
    create_admin(platform.runtime.sessions, "second@example.com", "correct horse battery staple")
    for _ in range(5):
        second = signed_in(admin.client, "second@example.com")
        first = signed_in(admin.client, "root@example.com")
        pairs = [(first, second), (second, first)]

        def demote(pair: tuple[ApiUser, ApiUser]) -> int:
            by, whom = pair
            here = replace(by, client=application.test_client())
            return int(change(here, whom, role="user").status_code)

        with ThreadPoolExecutor(2) as pool:
            statuses = sorted(pool.map(demote, pairs))
        assert statuses[0] == 200
        assert statuses[1] in {401, 403, 409}
        for email in ("root@example.com", "second@example.com"):
            create_admin(
                platform.runtime.sessions,
                email,
                "correct horse battery staple",
                promote=end_ways_in,
            )
