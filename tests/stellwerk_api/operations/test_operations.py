from contextlib import closing

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # no stubs

from api import UNKNOWN_ID, ApiUser, error_of
from stellwerk.bootstrap import Platform, bootstrap, registry
from stellwerk_api.app import create_app


def test_the_catalogue_names_every_operation(ada: ApiUser) -> None:
    listed = ada.get("/operations").get_json()["items"]
    assert [one["name"] for one in listed] == [
        operation.name for operation in registry() if not operation.is_internal
    ]


def test_the_platforms_own_operations_are_listed_for_operators_alone(
    ada: ApiUser, admin: ApiUser
) -> None:
    listed = admin.get("/operations").get_json()["items"]
    assert [one["name"] for one in listed] == [operation.name for operation in registry()]
    body = {"operation": "webhooks.deliver", "payload": {"delivery_id": UNKNOWN_ID}}
    error_of(ada.post("/jobs", body), 403)


def test_an_entry_says_what_the_declaration_says(ada: ApiUser) -> None:
    entry = ada.get("/operations/diagnostics.fail").get_json()
    assert entry["retry"] == {"max_attempts": 3, "base_s": 0.5, "max_s": 5, "delays_s": []}
    unbounded = {"max_running": None, "max_share": None, "max_running_per_owner": None}
    assert entry["limits"] == {"time_limit_s": 30, "rate_class": None, **unbounded}
    video = ada.get("/operations/videos.generate").get_json()
    assert video["limits"]["rate_class"] == "videos"
    assert (entry["queue"], entry["permission"], entry["scope"]) == (
        "long",
        "diagnostics:run",
        "owner",
    )


def test_a_webhook_is_tried_at_once_and_seven_times_more_within_two_days(
    platform: Platform, admin: ApiUser
) -> None:
    untouched = platform.settings.model_copy(update={"retry_delays_s": {}})
    with closing(bootstrap(untouched, role="tests", pool_size=1)) as other:
        reader = ApiUser(create_app(other).test_client(), admin.credentials)
        entry = reader.get("/operations/webhooks.deliver").get_json()
    assert entry["retry"]["max_attempts"] == 8
    assert entry["retry"]["delays_s"] == [5, 300, 1800, 7200, 18_000, 36_000, 86_400]


def test_what_costs_money_is_marked_and_declares_how_much(ada: ApiUser, platform: Platform) -> None:
    paid = {one["name"] for one in ada.get("/operations").get_json()["items"] if one["is_paid"]}
    assert paid == {"videos.generate", "calls.originate"}
    declared = platform.runtime.registry.get("videos.generate").estimate_eur
    assert declared
    channel_id = ada.post("/channels/", {"name": "Signals"}).get_json()["id"]
    body = {"channel_id": channel_id, "topic": "How signals work", "target_duration": 30}
    accepted = ada.post("/videos/generate", body).get_json()
    estimate = float(declared(platform.runtime, {"target_duration": 30}))
    assert accepted["estimated_cost"] == pytest.approx(estimate)


def test_steps_are_listed_with_their_weights(ada: ApiUser) -> None:
    entry = ada.get("/operations/videos.generate").get_json()
    assert entry["steps"][0] == {"name": "script", "weight": 5}


def test_schemas_are_json_schema_2020_12_that_agrees_with_submission(ada: ApiUser) -> None:
    for entry in ada.get("/operations").get_json()["items"]:
        Draft202012Validator.check_schema(entry["payload_schema"])
    schema = ada.get("/operations/diagnostics.sleep").get_json()["payload_schema"]
    validator = Draft202012Validator(schema)
    for payload in ({}, {"seconds": 2}, {"steps": 0}, {"steps": 1.5}, {"x": 1}, {"seconds": "x"}):
        accepted = ada.post("/jobs", {"operation": "diagnostics.sleep", "payload": payload})
        assert validator.is_valid(payload) == (accepted.status_code == 202), payload


def test_an_unknown_operation_is_404(ada: ApiUser) -> None:
    assert error_of(ada.get("/operations/signals.pull"), 404)["code"] == "OPERATION_UNKNOWN"
