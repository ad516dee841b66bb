from typing import Any

import pytest

from api import ApiUser

SCHEDULE = {"cron": "0 9 * * 1", "timezone": "Europe/Zurich"}


def create(user: ApiUser, **fields: Any) -> dict[str, Any]:
    answer = user.post("/channels/", {"name": "Signals", **fields})
    assert answer.status_code == 201, answer.text
    return dict(answer.get_json())


def test_a_channel_is_created_read_listed_changed_and_deleted(ada: ApiUser) -> None:
    made = create(ada, niche="railways", publish_schedule=SCHEDULE)
    path = f"/channels/{made['id']}"

    assert ada.get(path).get_json() == made
    assert ada.get("/channels/").get_json() == {"items": [made], "next_cursor": None}
    assert (made["publish_schedule"], made["total_cost"]) == (SCHEDULE, 0.0)

    changed = ada.send("PATCH", path, json={"name": "Switches", "is_active": False})
    assert changed.status_code == 200
    assert changed.get_json() == made | {"name": "Switches", "is_active": False}

    assert ada.send("DELETE", path).status_code == 204
    assert ada.get(path).status_code == 404
    assert ada.get("/channels/").get_json()["items"] == []


def test_a_free_account_has_one_channel(ada: ApiUser) -> None:
    create(ada)
    refused = ada.post("/channels/", {"name": "Second"})
    assert refused.status_code == 403
    assert refused.get_json()["error"]["code"] == "CHANNEL_LIMIT_REACHED"


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_somebody_elses_channel_is_not_found(ada: ApiUser, bob: ApiUser, method: str) -> None:
    path = f"/channels/{create(ada)['id']}"
    body = {"name": "Mine now"} if method == "PATCH" else None
    assert bob.send(method, path, json=body).status_code == 404
    assert ada.get(path).get_json()["name"] == "Signals"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": 7}, "name"),
        ({"is_active": "yes"}, "is_active"),
        ({"publish_schedule": {"cron": "never"}}, "publish_schedule.cron"),
        (
            {"publish_schedule": {"cron": "0 9 * * *", "timezone": "Mars"}},
            "publish_schedule.timezone",
        ),
        ({"user_id": 1}, "user_id"),
        ({"total_cost": 0}, "total_cost"),
    ],
)
def test_a_wrong_field_is_named(ada: ApiUser, fields: dict[str, Any], field: str) -> None:
    refused = ada.post("/channels/", {"name": "Signals", **fields})
    assert refused.status_code == 422
    errors = refused.get_json()["error"]["details"]["errors"]
    assert [error["field"] for error in errors] == [field]


def test_a_list_is_read_page_by_page(ada: ApiUser, admin: ApiUser) -> None:
    del ada
    names = [create(admin, name=f"Channel {number}")["name"] for number in range(1)]
    first = admin.get("/channels/?limit=1").get_json()
    assert [item["name"] for item in first["items"]] == names
    assert admin.get("/channels/?cursor=rubbish").status_code == 422
