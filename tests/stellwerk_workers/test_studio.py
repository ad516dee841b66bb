"""A video is made, step by step, by a real worker on the local parts."""

from uuid import UUID

import pytest

from embedded import wait_until
from people import add_channel, add_user
from results import assert_result_fits
from stellwerk.bootstrap import Platform
from stellwerk.jobs import queries as jobs
from stellwerk.jobs.submission import Submission, submit
from stellwerk.providers.video.probe import mean_volume_db, streams
from stellwerk.studio import queries

MADE_WITHIN_S = 120


@pytest.mark.parametrize(
    ("language", "topic"),
    [
        ("en", "Top 5 facts about railway signal boxes"),
        ("de", "Top 5 Fakten über Stellwerke der Eisenbahn"),
    ],
)
@pytest.mark.usefixtures("engine")
def test_a_generated_video_plays_speaks_and_has_the_length_asked_for(
    platform: Platform, tmp_path_factory: pytest.TempPathFactory, language: str, topic: str
) -> None:
    user_id = add_user(platform)
    payload = {
        "channel_id": add_channel(platform, user_id),
        "topic": topic,
        "target_duration": 15,
        "language": language,
    }
    job_id = submit(platform.runtime, Submission("videos.generate", payload, user_id))

    wait_until(
        lambda: _status(platform, job_id) in {"completed", "failed"}, timeout_s=MADE_WITHIN_S
    )

    with platform.runtime.sessions() as session:
        job = jobs.change(session, platform.runtime.registry, job_id).document
        video = queries.video(session, user_id, queries.video_of_job(session, job_id).id)
        row = jobs.artifact(session, job_id, "video.mp4")
    assert job["status"] == "completed", job["error"]
    assert_result_fits(job)
    path = tmp_path_factory.mktemp("video") / "video.mp4"
    platform.artifacts.get(row.storage_key, path)

    assert sorted(stream.codec for stream in streams(path)) == ["aac", "h264"]
    assert 13.5 <= video["duration_s"] <= 16.5
    assert mean_volume_db(path) > -40
    assert video["status"] == "ready"
    assert 0.5 < video["quality_score"] <= 1
    assert video["total_cost"] == job["cost"] > 0
    names = {artifact["name"] for artifact in job["artifacts"]}
    assert {"script.json", "narration.wav", "captions.srt", "thumbnail.jpg"} <= names
    assert [step["status"] for step in job["steps"]] == ["completed"] * 5


def _status(platform: Platform, job_id: UUID) -> str:
    with platform.runtime.sessions() as session:
        return str(jobs.change(session, platform.runtime.registry, job_id).document["status"])
