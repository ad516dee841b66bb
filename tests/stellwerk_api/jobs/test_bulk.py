"""`POST /jobs/bulk`: many jobs in one request, all of them or none."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from api import ApiUser, error_of, in_an_hour
from embedded import wait_until
from engine import Engine
from stellwerk.bootstrap import Platform
from stellwerk.jobs import dispatch
from stellwerk.jobs.bulk import submit_all
from stellwerk.jobs.model import Job
from stellwerk.jobs.submission import Submission
from stellwerk.jobs.window import window
from stellwerk_api.jobs.schemas import BulkBody, SubmissionBody

LATER = in_an_hour()


def entry(**fields: Any) -> dict[str, Any]:
    return {"operation": "diagnostics.echo", **fields}


def stored(platform: Platform) -> int | None:
    with platform.runtime.sessions() as session:
        return session.scalar(select(func.count()).select_from(Job))


def test_a_thousand_jobs_are_accepted_in_order_and_can_be_looked_at(
    ada: ApiUser, platform: Platform
) -> None:
    entries = [entry(payload={"message": str(number)}, tags=["t"]) for number in range(999)]
    answer = ada.post("/jobs/bulk", {"jobs": [*entries, entry(run_at=LATER)]})

    assert answer.status_code == 202
    jobs = answer.get_json()["jobs"]
    assert (len(jobs), stored(platform)) == (1000, 1000)
    assert [job["status"] for job in jobs[-2:]] == ["queued", "scheduled"]
    assert all(job["status_url"] == f"/api/v1/jobs/{job['job_id']}" for job in jobs)
    with platform.runtime.sessions() as session:
        payloads = [session.get_one(Job, UUID(jobs[number]["job_id"])).payload for number in (0, 7)]
    assert [payload["message"] for payload in payloads] == ["0", "7"]
    for job in (jobs[0], jobs[-1]):
        seen = ada.get(f"/jobs/{job['job_id']}").get_json()
        assert (seen["job_id"], seen["status"]) == (job["job_id"], job["status"])


@pytest.mark.parametrize(
    "unusual",
    [{"operation": ""}, {"operation": "x" * 81}, {"operation": 7}, {"payload": []}, {"more": 1}],
    ids=repr,
)
def test_a_request_that_the_schema_would_refuse_is_taken_to_it(
    ada: ApiUser, unusual: dict[str, Any]
) -> None:
    entries = [entry(payload={}), {**entry(payload={}), **unusual}]

    error = error_of(ada.post("/jobs/bulk", {"jobs": entries}), 422)

    assert [one["field"] for one in error["details"]["errors"]] == [f"jobs.1.{next(iter(unusual))}"]


def test_usual_requests_are_read_as_the_schema_reads_them() -> None:
    usual = {"operation": "diagnostics.echo", "payload": {"data": [1]}}

    read = BulkBody().load({"jobs": [usual, {"operation": "videos.generate", "payload": {}}]})

    assert read["jobs"][0] == SubmissionBody().load(usual)
    assert read["jobs"][1]["payload"] == {}


def test_a_payload_that_is_nested_too_deep_is_named_among_a_thousand(ada: ApiUser) -> None:
    within: list[Any] = []
    for _ in range(70):
        within = [within]
    entries = [entry(payload={"data": [[1]]}) for _ in range(1000)]
    entries[3] = entry(payload={"data": within})

    error = error_of(ada.post("/jobs/bulk", {"jobs": entries}), 422)

    (refused,) = error["details"]["errors"]
    assert refused["field"].startswith("jobs.3.payload.data.0.0")
    assert "64 levels" in refused["reason"]


def test_one_wrong_entry_among_a_thousand_is_named_and_nothing_is_accepted(
    ada: ApiUser, platform: Platform
) -> None:
    entries = [entry(payload={"message": "fine"}) for _ in range(1000)]
    entries[417] = entry(payload={"message": 7})

    error = error_of(ada.post("/jobs/bulk", {"jobs": entries}), 422)

    assert [one["field"] for one in error["details"]["errors"]] == ["jobs.417.payload.message"]
    assert stored(platform) == 0
    assert platform.live_client.redis.llen("short") == 0


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"operation": "no.such"}, "jobs.1.operation"),
        ({"payload": []}, "jobs.1.payload"),
        ({"payload": {"colour": "red"}}, "jobs.1.payload.colour"),
        ({"queue": "media"}, "jobs.1.queue"),
        ({"colour": "red"}, "jobs.1.colour"),
        ({"callback_url": "ftp://a"}, "jobs.1.callback_url"),
        ({"unique_key": "a"}, "jobs.1.unique_key"),
    ],
)
def test_what_is_wrong_is_named_by_its_place(
    ada: ApiUser, platform: Platform, wrong: dict[str, Any], field: str
) -> None:
    body = {"jobs": [entry(unique_key="a"), entry(**wrong)]}
    error = error_of(ada.post("/jobs/bulk", body), 422)
    assert error["details"]["errors"][0]["field"] == field
    assert stored(platform) == 0


@pytest.mark.parametrize("jobs", [[], [{"operation": "diagnostics.echo"}] * 1001])
def test_there_are_one_to_a_thousand_entries(ada: ApiUser, jobs: list[Any]) -> None:
    assert error_of(ada.post("/jobs/bulk", {"jobs": jobs}), 422)["details"]["field"] == "jobs"


def test_every_operation_needs_its_permission(ada: ApiUser, platform: Platform) -> None:
    body = {"jobs": [entry(), {"operation": "housekeeping.purge"}]}
    error = error_of(ada.post("/jobs/bulk", body), 403)
    assert error["details"]["permission"] == "housekeeping:run"
    key = ada.with_key(scopes=["videos.*"])
    error_of(key.post("/jobs/bulk", {"jobs": [entry()]}), 403)
    assert stored(platform) == 0


def test_a_unique_key_that_an_unfinished_job_has_is_named(ada: ApiUser, platform: Platform) -> None:
    holder = ada.submit(unique_key="nightly")
    body = {"jobs": [entry(), entry(unique_key="nightly"), entry(unique_key="free")]}
    error = error_of(ada.post("/jobs/bulk", body), 409)
    assert error["code"] == "DUPLICATE_JOB"
    (named,) = error["details"]["errors"]
    assert named["field"] == "jobs.1.unique_key"
    assert holder in named["reason"]
    assert stored(platform) == 1


def test_a_repeated_bulk_is_answered_with_the_same_jobs(ada: ApiUser, platform: Platform) -> None:
    body = {"jobs": [entry(run_at=LATER), entry(run_at=LATER, unique_key="a")]}
    headers = {"Idempotency-Key": '"bulk"'}
    first = ada.post("/jobs/bulk", body, headers=headers)
    ada.post(f"/jobs/{first.get_json()['jobs'][0]['job_id']}/cancel")
    again = ada.post("/jobs/bulk", body, headers=headers)

    assert again.headers["Idempotency-Replayed"] == "true"
    assert [job["job_id"] for job in again.get_json()["jobs"]] == [
        job["job_id"] for job in first.get_json()["jobs"]
    ]
    assert [job["status"] for job in again.get_json()["jobs"]] == ["cancelled", "scheduled"]
    other = ada.post("/jobs/bulk", {"jobs": [entry()]}, headers=headers)
    assert error_of(other, 422)["code"] == "IDEMPOTENCY_KEY_REUSED"
    assert stored(platform) == 2


def test_as_many_as_the_window_holds_are_published_and_the_rest_are_left_to_dispatchers(
    platform: Platform,
) -> None:
    runtime = platform.runtime
    submissions = [Submission("diagnostics.echo", {}, None) for _ in range(50)]
    submit_all(runtime, submissions)

    with runtime.sessions() as session:
        query = select(Job.id).where(Job.published_at.is_not(None)).order_by(Job.id)
        published = session.scalars(query).all()
    room = window(runtime.settings, "short")
    assert published == [one.job_id for one in submissions[:room]]
    assert dispatch.publish_due(runtime, "short") == 0


def test_a_paused_broker_keeps_nothing_from_being_accepted(platform: Platform) -> None:
    class Paused:
        def is_paused(self) -> bool:
            return True

    runtime = replace(platform.runtime, publisher=Paused())  # type: ignore[arg-type]  # all that is asked
    submit_all(runtime, [Submission("diagnostics.echo", {}, None)])
    assert dispatch.publish_due(platform.runtime, "short") == 1


def test_domains_have_their_say_about_each_entry(ada: ApiUser, platform: Platform) -> None:
    channel = ada.post("/channels", {"name": "Signals"}).get_json()["id"]
    payload = {"channel_id": channel, "topic": "Signal boxes", "target_duration": 30}
    video = {"operation": "videos.generate", "payload": payload}
    lost = {"operation": "videos.generate", "payload": {**payload, "channel_id": 999}}

    error = error_of(ada.post("/jobs/bulk", {"jobs": [entry(), video, lost]}), 404)
    assert error["details"]["field"] == "jobs.2"
    error = error_of(ada.post("/jobs/bulk", {"jobs": [video] * 3}), 429)
    assert error["details"]["field"] == "jobs.2"
    assert stored(platform) == 0
    assert ada.get("/videos").get_json()["items"] == []

    answer = ada.post("/jobs/bulk", {"jobs": [video, entry()]})
    assert answer.status_code == 202
    (made,) = ada.get("/videos").get_json()["items"]
    assert made["job_id"] == answer.get_json()["jobs"][0]["job_id"]


def test_workers_carry_all_of_them_out_on_the_low_queue_too(
    engine: Engine, platform: Platform
) -> None:
    del engine
    submissions = [
        Submission("diagnostics.echo", {}, None, queue=queue)
        for queue in ("short", "short_low")
        for _ in range(30)
    ]
    submit_all(platform.runtime, submissions)

    def completed() -> int | None:
        with platform.runtime.sessions() as session:
            query = select(func.count()).where(Job.status == "completed")
            return session.scalar(query)

    wait_until(lambda: completed() == 60, timeout_s=60)
