"""While the platform is maintained, reading goes on and operators are let through."""

import pytest
from flask import Flask

from api import ApiUser, account, error_of, signed_in
from stellwerk.bootstrap import Platform
from stellwerk.live import keys
from stellwerk_api.auth import SIGN_IN

ROOT = "/admin/config"
CLOSED = {
    "maintenance.enabled": True,
    "maintenance.message": "Back at noon.",
    "maintenance.retry_after_s": 77,
}


@pytest.fixture
def job_id(ada: ApiUser, admin: ApiUser) -> str:
    """A job of Ada's, of before."""
    submitted = ada.submit()
    assert admin.send("PATCH", ROOT, json={"values": CLOSED}).status_code == 200
    return submitted


@pytest.mark.usefixtures("job_id")
def test_submissions_and_changes_answer_503_with_a_message(
    ada: ApiUser, nobody: ApiUser, platform: Platform
) -> None:
    platform.live_client.redis.set(keys.SESSIONS_SWEPT, "1", ex=600)  # else no answer is quick
    for answer in (
        ada.post("/jobs", {"operation": "diagnostics.echo", "payload": {}}),
        ada.post("/jobs/bulk", {"jobs": [{"operation": "diagnostics.echo"}]}),
        ada.send("PATCH", "/users/me", json={"full_name": "Ada"}),
        nobody.post("/auth/register", account()),
    ):
        error = error_of(answer, 503)
        assert error["code"] == "MAINTENANCE"
        assert error["message"] == "Back at noon."
        assert answer.headers["Retry-After"] == "77"
    assert len(ada.get("/jobs").get_json()["items"]) == 1


def test_reads_and_sign_ins_go_on(ada: ApiUser, job_id: str) -> None:
    assert ada.get(f"/jobs/{job_id}").status_code == 200
    assert ada.get("/channels/").status_code == 200
    again = signed_in(ada.client, ada.user["email"])
    assert again.post("/auth/logout").status_code == 204


@pytest.mark.usefixtures("job_id")
def test_nobody_learns_of_it_who_has_no_right_anyway(ada: ApiUser, nobody: ApiUser) -> None:
    error_of(nobody.post("/jobs", {}), 401)
    error_of(ada.post("/queues/media/pause"), 403)


@pytest.mark.usefixtures("job_id")
def test_operators_are_let_through_and_end_it(ada: ApiUser, admin: ApiUser) -> None:
    assert admin.submit()
    assert admin.post(f"{ROOT}/maintenance.enabled/reset", {}).status_code == 200
    assert ada.submit()


@pytest.mark.usefixtures("job_id")
def test_whichever_route_signs_in_goes_on(application: Flask, nobody: ApiUser) -> None:
    views = application.view_functions.items()
    named = {name for name, view in views if getattr(view, "_apidoc", {}).get("tried") == SIGN_IN}
    assert {"accounts.login", "browser_sessions.begin", "connections.sign_in"} <= named
    for rule in application.url_map.iter_rules():
        if rule.endpoint in named | {"accounts.refresh"}:
            error_of(nobody.client.post(rule.rule, json={}), 422)
