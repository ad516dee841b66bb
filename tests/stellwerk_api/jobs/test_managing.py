from uuid import UUID

from sqlalchemy import insert, select, update

from api import UNKNOWN_ID, ApiUser, error_of, in_an_hour
from called import TO, telephonist
from stellwerk.bootstrap import Platform
from stellwerk.identity.model import User
from stellwerk.jobs import control, lifecycle
from stellwerk.jobs.lifecycle import Outcome
from stellwerk.jobs.model import JobLog, JobSignal, JobStep
from stellwerk.jobs.runtime import unit
from stellwerk.jobs.states import JobStatus


def test_a_job_goes_to_the_low_queue_of_its_operation_and_to_no_other(ada: ApiUser) -> None:
    later = {"operation": "diagnostics.sleep", "run_at": in_an_hour()}
    accepted = ada.post("/jobs", {**later, "queue": "long_low"}).get_json()
    assert ada.get(f"/jobs/{accepted['job_id']}").get_json()["queue"] == "long_low"
    error = error_of(ada.post("/jobs", {**later, "queue": "short"}), 422)
    assert error["details"]["field"] == "queue"
    assert error["details"]["reason"] == "diagnostics.sleep goes to one of: long, long_low."


def test_a_queued_job_is_cancelled_at_once(ada: ApiUser) -> None:
    job_id = ada.submit()
    answer = ada.post(f"/jobs/{job_id}/cancel")
    assert (answer.status_code, answer.get_json()["status"]) == (202, "cancelled")
    assert answer.headers["Location"] == f"/api/v1/jobs/{job_id}"
    assert ada.get(f"/jobs/{job_id}").get_json()["status"] == "cancelled"
    assert error_of(ada.post(f"/jobs/{job_id}/cancel"), 409)["code"] == "JOB_NOT_CANCELLABLE"


def test_a_cancelled_job_can_be_retried_and_a_queued_one_not(ada: ApiUser) -> None:
    job_id = ada.submit()
    assert error_of(ada.post(f"/jobs/{job_id}/retry"), 409)["code"] == "JOB_NOT_RETRYABLE"
    ada.post(f"/jobs/{job_id}/cancel")
    answer = ada.post(f"/jobs/{job_id}/retry")
    assert answer.status_code == 202
    assert answer.get_json()["status"] != "cancelled"


def test_a_signal_is_stored_with_its_sender(platform: Platform, ada: ApiUser) -> None:
    job_id = ada.submit()
    body = {"name": "approved", "data": {"by": "ada"}}
    assert ada.post(f"/jobs/{job_id}/signal", body).status_code == 202
    with platform.runtime.sessions() as session:
        stored = session.scalars(select(JobSignal)).one()
    assert (str(stored.job_id), stored.name, stored.data) == (job_id, "approved", {"by": "ada"})
    assert stored.sender_id == ada.user["id"]
    ada.post(f"/jobs/{job_id}/cancel")
    error_of(ada.post(f"/jobs/{job_id}/signal", body), 409)


def test_a_signal_that_is_too_large_is_refused(ada: ApiUser) -> None:
    job_id = ada.submit()
    fits = {"name": "approved", "data": "ü" * 32_767}
    assert ada.post(f"/jobs/{job_id}/signal", fits).status_code == 202
    body = {"name": "approved", "data": "ü" * 32_768}
    error = error_of(ada.post(f"/jobs/{job_id}/signal", body), 422)
    assert error["details"]["field"] == "data"


def test_a_job_takes_no_more_signals_than_it_may_keep(platform: Platform, ada: ApiUser) -> None:
    job_id = ada.submit()
    with platform.runtime.sessions.begin() as session:
        kept = [{"job_id": UUID(job_id), "name": "go"}] * platform.settings.job_signals_max
        session.execute(insert(JobSignal), kept)
    error = error_of(ada.post(f"/jobs/{job_id}/signal", {"name": "go"}), 409)
    assert error["code"] == "SIGNAL_LIMIT_REACHED"


def test_an_uncertain_effect_is_found_and_resolved_by_its_owner(
    platform: Platform, ada: ApiUser, bob: ApiUser
) -> None:
    job_id = ada.submit()
    found = {"effect": "dial", "happened": True, "output": {"call": 7}, "note": "They rang back."}
    refused = error_of(ada.post(f"/jobs/{job_id}/resolve", found), 409)
    assert refused["code"] == "JOB_NOT_UNCERTAIN"
    leave_uncertain(platform, UUID(job_id))

    listed = ada.get("/jobs?error_code=EFFECT_UNCERTAIN").get_json()["items"]
    assert [job["job_id"] for job in listed] == [job_id]
    assert ada.get("/jobs?error_code=JOB_POISONED").get_json()["items"] == []
    error_of(bob.post(f"/jobs/{job_id}/resolve", found), 404)
    answer = ada.post(f"/jobs/{job_id}/resolve", found)

    assert (answer.status_code, answer.get_json()["status"]) == (202, "queued")
    with platform.runtime.sessions() as session:
        step = session.scalars(select(JobStep)).one()
    assert (step.state, step.output) == ("done", {"call": 7})


def test_what_is_done_again_counts_against_the_limit_of_its_operation(
    platform: Platform, admin: ApiUser
) -> None:
    once = dict.fromkeys(("free", "pro", "enterprise"), "1/day")
    admin.send("PUT", "/admin/config/rates.calls", json={"value": once})
    caller = telephonist(admin)
    job_id = caller.submit("calls.originate", payload={"to": TO})
    leave_uncertain(platform, UUID(job_id))

    found = {"effect": "dial", "happened": False}
    error_of(caller.post(f"/jobs/{job_id}/resolve", found), 429)

    assert caller.post(f"/jobs/{job_id}/resolve", {**found, "happened": True}).status_code == 202


def test_what_is_done_again_needs_its_money_again_and_the_document_says_so(
    platform: Platform, admin: ApiUser
) -> None:
    caller = telephonist(admin)
    job_id = caller.submit("calls.originate", payload={"to": TO})
    leave_uncertain(platform, UUID(job_id))
    with platform.runtime.sessions.begin() as session:
        session.execute(update(User).where(User.id == caller.user["id"]).values(monthly_budget=0))

    found = {"effect": "dial", "happened": False}
    refused = error_of(caller.post(f"/jobs/{job_id}/resolve", found), 402)

    assert refused["details"]["left"] == 0
    documented = caller.client.get("/api/openapi.json").get_json()["paths"]
    assert "402" in documented["/api/v1/jobs/{job_id}/resolve"]["post"]["responses"]


def leave_uncertain(platform: Platform, job_id: UUID) -> None:
    """As if its worker had vanished during a call."""
    error = lifecycle.failure("EFFECT_UNCERTAIN", "Nobody can tell.", retryable=False)
    effect = {"kind": "effect", "state": "intent", "repeatable": "blind", "attempt": 1}
    with unit(platform.runtime) as work:
        work.session.add(JobStep(job_id=job_id, step="dial", **effect))
        ended = Outcome(JobStatus.FAILED, error=error)
        lifecycle.end(platform.runtime, work, control.locked(work.session, job_id), ended)


def test_a_job_can_be_made_a_child_of_ones_own_live_job(ada: ApiUser, bob: ApiUser) -> None:
    parent = ada.submit(tags=["family"])
    first = ada.submit(parent=parent, parent_key="a", tags=["own"])
    second = ada.submit(parent=parent)
    child = {"operation": "diagnostics.echo", "parent": parent}

    document = ada.get(f"/jobs/{first}").get_json()
    assert document["links"]["parent"] == f"/api/v1/jobs/{parent}"
    assert document["tags"] == ["family", "own"]
    twin = error_of(ada.post("/jobs", {**child, "parent_key": "a"}), 409)
    assert (twin["code"], twin["details"]) == ("DUPLICATE_JOB", {"job_id": first})
    error_of(bob.post("/jobs", child), 404)

    page = ada.get(f"/jobs/{parent}/children?limit=1").get_json()
    rest = ada.get(f"/jobs/{parent}/children?cursor={page['next_cursor']}").get_json()
    assert [job["job_id"] for job in page["items"] + rest["items"]] == [second, first]
    assert ada.get(f"/jobs/{parent}/children?status=failed").get_json()["items"] == []
    error_of(bob.get(f"/jobs/{parent}/children"), 404)

    ada.post(f"/jobs/{parent}/cancel")
    assert error_of(ada.post("/jobs", child), 409)["code"] == "CONFLICT"


def test_a_second_job_with_the_same_unique_key_names_the_first(ada: ApiUser) -> None:
    first = ada.submit(unique_key="nightly")
    body = {"operation": "diagnostics.echo", "unique_key": "nightly"}
    error = error_of(ada.post("/jobs", body), 409)
    assert error["code"] == "DUPLICATE_JOB"
    assert error["details"] == {"job_id": first}


def test_anothers_unique_key_is_neither_in_the_way_nor_named(ada: ApiUser, bob: ApiUser) -> None:
    ada.submit(unique_key="nightly")
    bob.submit(unique_key="nightly")


def test_an_unknown_operation_is_404_with_its_own_code(ada: ApiUser) -> None:
    error = error_of(ada.post("/jobs", {"operation": "signals.pull"}), 404)
    assert error["code"] == "OPERATION_UNKNOWN"


def test_nothing_can_be_done_to_an_unknown_job(ada: ApiUser) -> None:
    for action, body in (
        ("cancel", None),
        ("retry", None),
        ("signal", {"name": "go"}),
        ("resolve", {"effect": "dial", "happened": True}),
    ):
        error_of(ada.post(f"/jobs/{UNKNOWN_ID}/{action}", body), 404)


def test_log_lines_come_in_order_and_in_pages(platform: Platform, ada: ApiUser) -> None:
    job_id = ada.submit()
    with platform.runtime.sessions.begin() as session:
        for number in range(3):
            line = {"level": "info", "message": f"line {number}", "fields": {"number": number}}
            session.add(JobLog(job_id=UUID(job_id), attempt=1, **line))
            session.flush()
    first = ada.get(f"/jobs/{job_id}/logs?limit=2").get_json()
    rest = ada.get(f"/jobs/{job_id}/logs?after={first['next_after']}").get_json()
    assert [line["message"] for line in first["items"] + rest["items"]] == [
        "line 0",
        "line 1",
        "line 2",
    ]
    assert first["items"][1]["fields"] == {"number": 1}
    assert first["items"][0]["at"].endswith("Z")
    assert ada.get(f"/jobs/{job_id}/logs?after={rest['next_after']}").get_json() == {
        "items": [],
        "next_after": rest["next_after"],
    }


def test_steps_and_artifacts_are_lists_of_their_own(ada: ApiUser) -> None:
    job_id = ada.submit("diagnostics.sleep")
    assert ada.get(f"/jobs/{job_id}/steps").get_json() == {"items": []}
    assert ada.get(f"/jobs/{job_id}/artifacts").get_json() == {"items": []}
