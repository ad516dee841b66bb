"""`/admin/config`: what operators change while the platform runs."""

from collections.abc import Iterator
from typing import Any

import pytest

from api import ApiUser, error_of
from embedded import wait_until
from stellwerk.bootstrap import Platform, bootstrap
from stellwerk.configuration import present
from stellwerk.configuration.entries import ENTRIES, LOGIN_RATE, MAINTENANCE, RATES
from stellwerk.configuration.rates import RateClass
from stellwerk.errors import ConfigurationError
from stellwerk.settings import Settings

ROOT = "/admin/config"


@pytest.fixture
def another_process(platform: Platform) -> Iterator[Platform]:
    """Collaborators of their own, which hear of nothing but through the ledger."""
    other = bootstrap(platform.settings, role="tests-other")
    yield other
    other.close()


def test_every_entry_is_listed_with_value_default_and_bounds(
    admin: ApiUser, settings: Settings
) -> None:
    answer = admin.get(ROOT)
    body = answer.get_json()
    assert (body["version"], answer.headers["ETag"]) == (0, '"0"')
    assert [item["name"] for item in body["items"]] == list(ENTRIES)
    for item in body["items"]:
        assert item["value"] == item["default"]
        assert item["description"]
        assert item["value_schema"]
        assert (item["version"], item["changed_at"], item["changed_by"]) == (0, None, None)
    found = {item["name"]: item for item in body["items"]}
    assert found["maintenance.retry_after_s"]["unit"] == "s"
    assert found["maintenance.retry_after_s"]["value_schema"]["maximum"] == 86_400
    for name, value in settings.config_defaults.items():
        assert found[name]["default"] == value


def test_a_change_may_be_posted_by_either_address(admin: ApiUser, bob: ApiUser) -> None:
    body = {"values": {"maintenance.retry_after_s": 60}}
    error_of(bob.client.post(ROOT, json=body, headers=dict(bob.credentials)), 403)
    posted = admin.client.post(ROOT, json=body, headers=dict(admin.credentials))
    assert (posted.status_code, posted.get_json()["version"]) == (200, 1)
    wrong = admin.post(ROOT, {"values": {"maintenance.retry_after_s": 0}})
    assert error_of(wrong, 422)["details"]["field"] == "values.maintenance.retry_after_s"
    stale = admin.post(ROOT, {**body, "version": 0})
    assert error_of(stale, 409)["code"] == "CONFIGURATION_CHANGED"
    assert admin.get(f"{ROOT}/maintenance.retry_after_s").get_json()["version"] == 1


def test_a_change_is_versioned_and_says_who_and_when(admin: ApiUser) -> None:
    changed = admin.send("PATCH", ROOT, json={"values": {"maintenance.retry_after_s": 60}})
    assert changed.status_code == 200, changed.text
    assert changed.get_json()["version"] == 1
    admin.send("PUT", f"{ROOT}/maintenance.retry_after_s", json={"value": 90})
    admin.post(f"{ROOT}/maintenance.retry_after_s/reset", {})

    entry = admin.get(f"{ROOT}/maintenance.retry_after_s").get_json()
    assert (entry["value"], entry["version"]) == (300, 3)
    assert [(one["version"], one["value"]) for one in entry["history"]] == [
        (3, None),
        (2, 90),
        (1, 60),
    ]
    assert {one["changed_by"] for one in entry["history"]} == {admin.user["id"]}
    assert all(one["changed_at"].endswith("Z") for one in entry["history"])


def test_several_entries_change_together_or_not_at_all(admin: ApiUser, platform: Platform) -> None:
    values = {"rates.login": "7/min", "maintenance.retry_after_s": 0}
    error = error_of(admin.send("PATCH", ROOT, json={"values": values}), 422)
    assert error["details"]["field"] == "values.maintenance.retry_after_s"
    assert admin.get(ROOT).get_json()["version"] == 0

    values["maintenance.retry_after_s"] = 10
    admin.send("PATCH", ROOT, json={"values": values})
    assert admin.get(ROOT).get_json()["version"] == 1
    assert platform.configuration[LOGIN_RATE] == "7/min"


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [
        ("rates.login", "often", "values.rates.login"),
        ("rates.login", "0/min", "values.rates.login"),
        ("rates.login", "5/week", "values.rates.login"),
        ("rates.login", "5/min\n", "values.rates.login"),
        ("rates.login", None, "values.rates.login"),
        ("rates.default", {"free": "1/s", "pro": "1/s"}, "values.rates.default.enterprise"),
        (
            "rates.default",
            {"free": "1/s", "pro": "1/s", "enterprise": 7},
            "values.rates.default.enterprise",
        ),
        (
            "rates.default",
            {"free": "1/s", "pro": "1/s", "enterprise": "1/s", "gold": "9/s"},
            "values.rates.default.gold",
        ),
        ("rates.fail_closed", ["login", "all"], "values.rates.fail_closed.1"),
        ("maintenance.enabled", "yes", "values.maintenance.enabled"),
        ("maintenance.enabled", 1, "values.maintenance.enabled"),
        ("maintenance.message", "", "values.maintenance.message"),
        ("maintenance.retry_after_s", 1.5, "values.maintenance.retry_after_s"),
        ("calls.caller_ids", ["+4930", "030"], "values.calls.caller_ids.1"),
        ("maintenance.enabel", True, "values.maintenance.enabel"),
    ],
)
def test_what_is_no_value_of_an_entry_is_refused_by_its_place(
    admin: ApiUser, name: str, value: Any, field: str
) -> None:
    error = error_of(admin.send("PATCH", ROOT, json={"values": {name: value}}), 422)
    assert error["details"]["field"] == field
    assert admin.get(ROOT).get_json()["version"] == 0


def test_a_mistyped_name_is_told_the_right_one(admin: ApiUser) -> None:
    error = error_of(admin.send("PATCH", ROOT, json={"values": {"rates.logn": "1/s"}}), 422)
    assert "rates.login" in error["details"]["reason"]
    error_of(admin.get(f"{ROOT}/rates.logn"), 404)
    error_of(admin.send("PUT", f"{ROOT}/rates.logn", json={"value": "1/s"}), 404)
    error_of(admin.post(f"{ROOT}/rates.logn/reset", {}), 404)


def test_a_change_based_on_an_older_version_is_refused(admin: ApiUser) -> None:
    put = {"value": "6/min", "version": 0}
    assert admin.send("PUT", f"{ROOT}/rates.login", json=put).status_code == 200

    error = error_of(admin.send("PUT", f"{ROOT}/rates.login", json=put), 409)
    assert error["code"] == "CONFIGURATION_CHANGED"
    assert error["details"] == {"versions": {"rates.login": 1}}
    stale = {"If-Match": '"0"'}
    error_of(admin.post(f"{ROOT}/rates.login/reset", {}, headers=stale), 409)
    body = {"values": {"rates.login": "8/min", "maintenance.enabled": False}}
    error_of(admin.send("PATCH", ROOT, json=body, headers=stale), 409)
    error_of(admin.send("PATCH", ROOT, json=body, headers={"If-Match": 'W/"x"'}), 400)

    # What somebody else changed meanwhile is no part of this.
    other = {"values": {"maintenance.retry_after_s": 9}}
    assert admin.send("PATCH", ROOT, json=other, headers=stale).status_code == 200
    tag = admin.get(f"{ROOT}/rates.login").headers["ETag"]
    reset = admin.post(f"{ROOT}/rates.login/reset", {}, headers={"If-Match": tag})
    assert reset.status_code == 200


def test_a_change_is_live_in_another_process_which_looks_twice_in_five_seconds(
    admin: ApiUser, another_process: Platform
) -> None:
    there = another_process.configuration
    assert there[MAINTENANCE] is False
    changed = {"values": {"rates.polls": {"free": "1/s", "pro": "2/s", "enterprise": "3/s"}}}
    admin.send("PATCH", ROOT, json=changed)
    polls = RATES[RateClass.POLLS]
    wait_until(lambda: there[polls].pro == "2/s")
    assert 2 * present.EVERY_S < 5


def test_a_stored_value_that_this_release_does_not_take_is_left_alone(
    platform: Platform, admin: ApiUser
) -> None:
    admin.send("PUT", f"{ROOT}/rates.login", json={"value": "7/min"})
    with platform.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE configuration_changes SET value = '\"never\"'")
    platform.configuration.refresh()
    assert platform.configuration[LOGIN_RATE] == platform.configuration.default("rates.login")


def test_operators_read_and_admins_change(ada: ApiUser, platform: Platform) -> None:
    with platform.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE users SET role = 'operator', updated_at = now()")
    platform.live_client.redis.flushdb()
    assert ada.get(ROOT).status_code == 200
    error = error_of(ada.send("PATCH", ROOT, json={"values": {"rates.login": "1/s"}}), 403)
    assert error["details"] == {"permission": "config:write"}


def test_another_price_changes_the_next_estimate(ada: ApiUser, admin: ApiUser) -> None:
    channel_id = ada.post("/channels/", {"name": "Signals"}).get_json()["id"]
    body = {"channel_id": channel_id, "topic": "How signals work", "target_duration": 30}
    prices = admin.get(f"{ROOT}/prices_eur").get_json()["value"]
    before = ada.post("/videos/generate", body).get_json()["estimated_cost"]

    dearer = {"value": {**prices, "template.script": 0.001 + 1.5}}
    assert admin.send("PUT", f"{ROOT}/prices_eur", json=dearer).status_code == 200

    after = ada.post("/videos/generate", body).get_json()["estimated_cost"]
    assert after == pytest.approx(before + 1.5)


def test_every_price_is_needed_and_no_other(admin: ApiUser) -> None:
    error = error_of(admin.send("PUT", f"{ROOT}/prices_eur", json={"value": {"a.b": 1}}), 422)
    assert "lacks elevenlabs.character" in error["details"]["reason"]
    assert "nothing costs a.b" in error["details"]["reason"]
    prices = admin.get(f"{ROOT}/prices_eur").get_json()["value"]
    wrong = {"value": {**prices, "openai.image": -1}}
    field = error_of(admin.send("PUT", f"{ROOT}/prices_eur", json=wrong), 422)["details"]["field"]
    assert field == "values.prices_eur.openai.image"


def test_a_change_is_on_record(admin: ApiUser) -> None:
    admin.send("PUT", f"{ROOT}/rates.login", json={"value": "7/min"})
    admin.post(f"{ROOT}/rates.login/reset", {})
    found = [
        (entry["action"], entry["target"], entry["details"])
        for entry in admin.get("/audit").get_json()["items"]
        if entry["action"].startswith("configuration.")
    ]
    name = "configuration:rates.login"
    assert found == [
        ("configuration.reset", name, {"version": 2, "value": None}),
        ("configuration.changed", name, {"version": 1, "value": "7/min"}),
    ]


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"rates.logn": "1/s"}, "rates.logn, which cannot be configured"),
        ({"rates.login": "often"}, "rates.login cannot have this value"),
    ],
)
def test_an_installations_wrong_default_ends_the_start(
    settings: Settings, chosen: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        bootstrap(settings.model_copy(update={"config_defaults": chosen}), role="tests")
