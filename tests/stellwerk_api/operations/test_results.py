"""What jobs come to is what the catalogue's schemas say; real handlers, one attempt at a time."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest

from api import ApiUser
from attempts import attempt
from receiver import receiving
from results import assert_result_fits
from stellwerk.bootstrap import Platform, registry

PAYLOADS: Mapping[str, Mapping[str, Any]] = {
    "diagnostics.echo": {"message": "hello", "data": [1, {"a": None}]},
    "diagnostics.effect": {"count": 2},
    "diagnostics.fail": {"succeed_on_attempt": 1},
    "diagnostics.fan_out": {"children": 1},
    "diagnostics.sleep": {"seconds": 0, "steps": 2},
    "diagnostics.undo": {"then": "wait"},
    "diagnostics.wait": {},
    "email.send": {"to": "ada@example.com", "subject": "Signals", "text": "Hello."},
    "housekeeping.purge": {},
}
SIGNALS = {"diagnostics.undo": "keep", "diagnostics.wait": "go"}
# Below, in the test that makes a whole video, and by `attempts.attempt` wherever they are tested.
ELSEWHERE = {
    "webhooks.deliver",
    "videos.generate",
    "calls.originate",
    "modules.install",
    "modules.install_instance",
    "modules.reconcile",
    "modules.remove_instance",
    "modules.restart",
    "modules.start",
    "modules.stop",
    "modules.sync",
    "modules.uninstall",
    "modules.update",
    "accounts.notify",
    "connections.revoke",
    "connections.tell_lost",
    "privacy.erase",
    "privacy.export",
}


def test_no_operation_is_left_out() -> None:
    with_result = {operation.name for operation in registry() if operation.result}
    assert with_result == set(PAYLOADS) | ELSEWHERE


@pytest.mark.parametrize("operation", PAYLOADS)
def test_a_result_is_what_its_schema_says(
    platform: Platform, admin: ApiUser, operation: str
) -> None:
    job_id = admin.submit(operation, payload=PAYLOADS[operation])
    if operation in SIGNALS:
        sent = admin.post(f"/jobs/{job_id}/signal", {"name": SIGNALS[operation], "data": 7})
        assert sent.status_code == 202
    attempt(platform.runtime, UUID(job_id))
    for child in admin.get(f"/jobs/{job_id}/children").get_json()["items"]:
        attempt(platform.runtime, UUID(child["job_id"]))
        attempt(platform.runtime, UUID(job_id))
    assert_result_fits(completed(admin, job_id))


def test_a_deliverys_result_is_what_its_schema_says(platform: Platform, admin: ApiUser) -> None:
    with receiving() as receiver:
        endpoint = admin.post("/webhook-endpoints", {"url": receiver.url}).get_json()
        sent = admin.post(f"/webhook-endpoints/{endpoint['id']}/test").get_json()
        attempt(platform.runtime, UUID(sent["job_id"]))
    assert_result_fits(completed(admin, sent["job_id"]))


def completed(user: ApiUser, job_id: str) -> dict[str, Any]:
    job: dict[str, Any] = user.get(f"/jobs/{job_id}").get_json()
    assert job["status"] == "completed", job["error"]
    return job
