from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from api import ApiUser
from stellwerk.bootstrap import Platform
from stellwerk.identity.model import User
from stellwerk.jobs import claims, lifecycle
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.ports import Wakeup
from stellwerk.jobs.runtime import unit
from stellwerk.jobs.states import JobStatus


def channel(user: ApiUser) -> int:
    return int(user.post("/channels/", {"name": "Signals"}).get_json()["id"])


def generate(user: ApiUser, channel_id: int, **fields: Any) -> Any:
    body = {"channel_id": channel_id, "topic": "How signals work", **fields}
    return user.post("/videos/generate", body)


def made(user: ApiUser) -> dict[str, Any]:
    answer = generate(user, channel(user))
    assert answer.status_code == 202, answer.text
    return dict(answer.get_json())


def test_generating_answers_202_with_the_videos_names_and_where_to_look(ada: ApiUser) -> None:
    answer = generate(ada, channel(ada), target_duration=30)

    assert answer.status_code == 202
    body = answer.get_json()
    assert body["task_id"] == body["job_id"]
    assert body["status_url"] == answer.headers["Location"] == f"/api/v1/jobs/{body['job_id']}"
    assert answer.headers["Link"].endswith('/events>; rel="monitor"')
    assert body["estimated_cost"] > 0
    assert body["estimated_completion"].endswith("Z")
    video = ada.get(f"/videos/{body['video_id']}").get_json()
    assert (video["status"], video["job_id"]) == ("queued", body["job_id"])


def test_the_same_operation_is_taken_by_the_general_route(ada: ApiUser) -> None:
    payload = {"channel_id": channel(ada), "topic": "How signals work"}
    job_id = ada.submit("videos.generate", payload=payload)
    videos = ada.get("/videos/").get_json()["items"]
    assert [video["job_id"] for video in videos] == [job_id]


def test_a_video_is_listed_filtered_edited_and_deleted(ada: ApiUser) -> None:
    video_id = made(ada)["video_id"]
    path = f"/videos/{video_id}"

    assert len(ada.get("/videos/?status=queued&q=SIGNALS").get_json()["items"]) == 1
    assert ada.get("/videos/?status=ready").get_json()["items"] == []
    assert ada.get("/videos/?q=100%25").get_json()["items"] == []

    changed = ada.send("PATCH", path, json={"title": "New", "tags": ["a", "b"]}).get_json()
    assert (changed["title"], changed["tags"]) == ("New", ["a", "b"])

    assert ada.send("DELETE", path).status_code == 204
    assert ada.get(path).status_code == 404
    assert ada.get("/jobs").get_json()["items"][0]["status"] == "cancelled"


@pytest.mark.parametrize(
    ("method", "suffix"),
    [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/retry"), ("GET", "/cost")],
)
def test_somebody_elses_video_is_not_found(
    ada: ApiUser, bob: ApiUser, method: str, suffix: str
) -> None:
    video_id = made(ada)["video_id"]
    body = {"title": "Mine now"} if method == "PATCH" else None
    assert bob.send(method, f"/videos/{video_id}{suffix}", json=body).status_code == 404
    assert ada.get(f"/videos/{video_id}").status_code == 200


def test_a_channel_that_is_not_yours_a_full_day_and_an_empty_budget_refuse(
    ada: ApiUser, bob: ApiUser, platform: Platform
) -> None:
    assert generate(bob, channel(ada)).status_code == 404

    own = channel(bob)
    assert [generate(bob, own).status_code for _ in range(3)] == [202, 202, 429]

    with platform.runtime.sessions.begin() as session:
        session.get_one(User, ada.user["id"]).monthly_budget = Decimal(0)
    refused = generate(ada, ada.get("/channels/").get_json()["items"][0]["id"])
    assert refused.status_code == 402
    assert refused.get_json()["error"]["details"]["left"] == 0


def test_a_time_of_publication_in_the_past_is_refused(ada: ApiUser) -> None:
    refused = generate(ada, channel(ada), schedule_time="2020-01-01T00:00:00Z")
    assert refused.status_code == 422
    assert refused.get_json()["error"]["details"]["field"] == "schedule_time"


def test_a_failed_generation_is_retried_and_a_live_one_is_not(
    ada: ApiUser, platform: Platform
) -> None:
    accepted = made(ada)
    path = f"/videos/{accepted['video_id']}"
    assert ada.post(f"{path}/retry").status_code == 409

    fail(platform, accepted["job_id"])
    assert ada.get(path).get_json()["status"] == "failed"

    again = ada.post(f"{path}/retry")
    assert again.status_code == 202
    assert again.get_json()["job_id"] == accepted["job_id"]
    assert ada.get(path).get_json()["status"] == "queued"


def test_costs_are_shown_line_by_line_and_add_up(ada: ApiUser, platform: Platform) -> None:
    accepted = made(ada)
    claimed = claim(platform, accepted["job_id"])
    ctx = JobContext(platform.runtime, claimed, make_workdir=Path, is_draining=lambda: False)
    ctx.cost("openai", "output_token", Decimal(1500), Decimal("0.000002"))
    ctx.cost("pillow", "image", Decimal(5), Decimal("0.0005"))
    ctx.step("script", lambda: None)

    cost = ada.get(f"/videos/{accepted['video_id']}/cost").get_json()
    assert [line["amount"] for line in cost["lines"]] == [0.003, 0.0025]
    assert (cost["total"], cost["currency"]) == (0.0055, "EUR")
    assert ada.get("/channels/").get_json()["items"][0]["total_cost"] == 0.0055


def claim(platform: Platform, job_id: str) -> claims.Claim:
    claimed = claims.claim(
        platform.runtime, Wakeup(UUID(job_id), 0, "videos.generate", "media"), "test", uuid4()
    )
    assert claimed
    return claimed


def fail(platform: Platform, job_id: str) -> None:
    claimed = claim(platform, job_id)
    error = lifecycle.failure("JOB_FAILED", "no good", retryable=False)
    with unit(platform.runtime) as work:
        outcome = lifecycle.Outcome(JobStatus.FAILED, error=error)
        lifecycle.finish(platform.runtime, work, claimed, outcome)
