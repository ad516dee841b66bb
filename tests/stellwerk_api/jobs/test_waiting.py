"""Jobs that wait, seen over HTTP while real workers and a dispatcher are at work."""

from collections.abc import Callable
from typing import Any

import pytest

from again import in_one_of_few_tries
from api import ApiUser, error_of
from embedded import wait_until
from stellwerk.jobs.waits import NAME_MAX
from stellwerk.settings import Settings

Document = dict[str, Any]


def submit(user: ApiUser, operation: str, **payload: Any) -> str:
    answer = user.post("/jobs", {"operation": operation, "payload": payload})
    assert answer.status_code == 202, answer.text
    return str(answer.get_json()["job_id"])


def poll(user: ApiUser, job_id: str) -> Document:
    document: Document = user.get(f"/jobs/{job_id}").get_json()
    return document


def polled_until(user: ApiUser, job_id: str, is_it: Callable[[Document], object]) -> Document:
    wait_until(lambda: is_it(poll(user, job_id)))
    return poll(user, job_id)


def stands_at(*statuses: str) -> Callable[[Document], bool]:
    return lambda document: document["status"] in statuses


def send(user: ApiUser, job_id: str, name: str, data: Any) -> None:
    answer = user.post(f"/jobs/{job_id}/signal", {"name": name, "data": data})
    assert answer.status_code == 202, answer.text


@pytest.mark.usefixtures("engine")
def test_jobs_that_wait_leave_every_slot_to_others_and_go_on_with_their_signals(
    ada: ApiUser, settings: Settings
) -> None:
    waiting = [
        submit(ada, "diagnostics.wait", signal="ready", times=2)
        for _ in range(2 * settings.short_slots)
    ]
    for job_id in waiting:
        polled_until(ada, job_id, stands_at("waiting"))
    other = submit(ada, "diagnostics.echo")
    polled_until(ada, other, stands_at("completed"))

    for job_id in waiting:
        send(ada, job_id, "other", "not for it")
        send(ada, job_id, "ready", {"first": job_id})
    for job_id in waiting:
        polled_until(ada, job_id, lambda document: document["attempt"] == 2)
        assert polled_until(ada, job_id, stands_at("waiting"))["failures"] == 0
        send(ada, job_id, "ready", None)
    for job_id in waiting:
        ended = polled_until(ada, job_id, stands_at("completed", "failed"))
        assert (ended["status"], ended["attempt"]) == ("completed", 3)
        assert ended["result"] == {"data": [{"first": job_id}, None]}


@pytest.mark.usefixtures("engine")
def test_a_job_waits_for_no_longer_name_than_a_signal_can_have(ada: ApiUser) -> None:
    name = "s" * NAME_MAX
    job_id = submit(ada, "diagnostics.wait", signal=name)
    polled_until(ada, job_id, stands_at("waiting"))
    send(ada, job_id, name, "taken")
    assert polled_until(ada, job_id, stands_at("completed"))["result"] == {"data": ["taken"]}

    longer = {"operation": "diagnostics.wait", "payload": {"signal": f"{name}s"}}
    assert error_of(ada.post("/jobs", longer), 422)["details"]["field"] == "payload.signal"
    sent = {"name": f"{name}s"}
    assert error_of(ada.post(f"/jobs/{job_id}/signal", sent), 422)["details"]["field"] == "name"


def test_no_more_children_fail_than_there_are(admin: ApiUser) -> None:
    body = {"operation": "diagnostics.fan_out", "payload": {"children": 3, "failing": 4}}
    assert error_of(admin.post("/jobs", body), 422)["details"]["field"] == "payload.failing"


@pytest.mark.usefixtures("engine")
def test_a_wait_that_runs_out_fails_its_job_soon_after(ada: ApiUser) -> None:
    job_id = submit(ada, "diagnostics.wait", timeout_s=0.5)

    ended = polled_until(ada, job_id, stands_at("completed", "failed"))

    assert (ended["status"], ended["error"]["code"]) == ("failed", "SIGNAL_TIMEOUT")
    assert ended["attempt"] == 2


@pytest.mark.usefixtures("engine")
def test_a_waiting_parents_progress_moves_while_its_children_work(admin: ApiUser) -> None:
    def trial() -> None:
        job_id = submit(admin, "diagnostics.fan_out", children=12, wait_ms=900)
        seen = polled_until(admin, job_id, lambda document: document["progress"] > 0)
        assert seen["message"].endswith("of 12 children have ended")
        assert seen["progress"] < 100, "all have ended before anybody looked"
        assert polled_until(admin, job_id, stands_at("completed"))["progress"] == 100

    in_one_of_few_tries(trial)


@pytest.mark.usefixtures("engine")
def test_polls_are_told_to_come_back_later_while_many_jobs_stand_in_the_queue(
    ada: ApiUser, admin: ApiUser
) -> None:
    assert admin.post("/queues/short/pause").status_code == 200
    entries = [{"operation": "diagnostics.echo"}] * 150
    jobs = ada.post("/jobs/bulk", {"jobs": entries}).get_json()["jobs"]

    def look_again() -> str:
        return ada.get(f"/jobs/{jobs[-1]['job_id']}").headers["Retry-After"]

    wait_until(lambda: look_again() == "2")
    assert admin.post("/queues/short/resume").status_code == 200
    polled_until(ada, jobs[-1]["job_id"], stands_at("completed"))
