from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from people import add_channel, add_user
from stellwerk.bootstrap import Platform
from stellwerk.errors import (
    ErrorCode,
    InvalidInput,
    LimitReached,
    NotFound,
    NotPermitted,
    PaymentRequired,
)
from stellwerk.jobs import control
from stellwerk.jobs.model import Job
from stellwerk.jobs.spending import committed_this_month
from stellwerk.jobs.submission import Submission, submit
from stellwerk.studio import queries, service
from stellwerk.studio.model import Video


def generate(platform: Platform, user_id: int | None, channel_id: int, **fields: Any) -> UUID:
    payload = {"channel_id": channel_id, "topic": "How signals work", **fields}
    return submit(platform.runtime, Submission("videos.generate", payload, user_id))


def video(platform: Platform, job_id: UUID) -> Video:
    with platform.runtime.sessions() as session:
        return queries.video_of_job(session, job_id)


def test_an_accepted_generation_has_its_video_and_reserves_its_cost(platform: Platform) -> None:
    user_id = add_user(platform)
    job_id = generate(platform, user_id, add_channel(platform, user_id), language="de")

    made = video(platform, job_id)
    assert (made.status, made.language, made.user_id) == ("queued", "de", user_id)
    with platform.runtime.sessions() as session:
        reserved = session.get_one(Job, job_id).reserved_cost
    assert reserved == service.estimated_cost(platform.runtime, {"target_duration": 60})
    assert reserved > 0


def test_generations_submitted_at_once_are_accepted_one_after_another(platform: Platform) -> None:
    user_id = add_user(platform, daily_video_limit=9)
    channel_id = add_channel(platform, user_id)
    together = Barrier(4)

    def submit_with_the_others(_: int) -> UUID:
        together.wait(60)
        return generate(platform, user_id, channel_id)

    with ThreadPoolExecutor(4) as pool:
        accepted = list(pool.map(submit_with_the_others, range(8)))  # a deadlock would raise
    assert len(set(accepted)) == 8


def test_a_cancelled_generation_leaves_a_failed_video_and_frees_the_reservation(
    platform: Platform,
) -> None:
    user_id = add_user(platform)
    job_id = generate(platform, user_id, add_channel(platform, user_id))

    control.cancel(platform.runtime, job_id)

    assert video(platform, job_id).status == "failed"
    with platform.runtime.sessions() as session:
        assert committed_this_month(session, user_id) == 0


def test_a_retried_generation_is_queued_and_reserved_again(platform: Platform) -> None:
    user_id = add_user(platform)
    job_id = generate(platform, user_id, add_channel(platform, user_id))
    control.cancel(platform.runtime, job_id)

    control.retry(platform.runtime, job_id)

    assert video(platform, job_id).status == "queued"
    with platform.runtime.sessions() as session:
        assert committed_this_month(session, user_id) > 0


def test_somebody_elses_channel_is_not_found(platform: Platform) -> None:
    channel_id = add_channel(platform, add_user(platform))
    with pytest.raises(NotFound):
        generate(platform, add_user(platform), channel_id)
    _nothing_is_stored(platform)


def test_the_day_has_only_so_many_videos(platform: Platform) -> None:
    user_id = add_user(platform, daily_video_limit=1)
    channel_id = add_channel(platform, user_id)
    generate(platform, user_id, channel_id)

    with pytest.raises(LimitReached) as refused:
        generate(platform, user_id, channel_id)
    assert 0 < (refused.value.retry_after_s or 0) <= 86_400


def test_a_budget_that_does_not_cover_the_estimate_refuses_and_says_what_is_left(
    platform: Platform,
) -> None:
    user_id = add_user(platform, monthly_budget=Decimal("0.000001"))
    with pytest.raises(PaymentRequired) as refused:
        generate(platform, user_id, add_channel(platform, user_id))
    assert refused.value.code is ErrorCode.BUDGET_EXCEEDED
    assert refused.value.details["left"] == 0.000001
    assert refused.value.details["estimate"] > refused.value.details["left"]
    _nothing_is_stored(platform)


def test_what_runs_already_counts_against_the_budget(platform: Platform) -> None:
    once = service.estimated_cost(platform.runtime, {"target_duration": 60})
    user_id = add_user(platform, monthly_budget=once * Decimal("1.5"))
    channel_id = add_channel(platform, user_id)
    generate(platform, user_id, channel_id)
    with pytest.raises(PaymentRequired):
        generate(platform, user_id, channel_id)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"topic": "ab"}, "topic"),
        ({"topic": "   a   "}, "topic"),
        ({"topic": "a\x00b c"}, "topic"),
        ({"target_duration": 14}, "target_duration"),
        ({"target_duration": 3601}, "target_duration"),
        ({"target_duration": "60"}, "target_duration"),
        ({"keywords": ["k"] * 21}, "keywords"),
        ({"language": "not a tag"}, "language"),
        ({"style": "boring"}, "style"),
        ({"auto_publish": "yes"}, "auto_publish"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_wrong_field_is_named(platform: Platform, fields: dict[str, Any], field: str) -> None:
    user_id = add_user(platform)
    with pytest.raises(InvalidInput) as refused:
        generate(platform, user_id, add_channel(platform, user_id), **fields)
    assert refused.value.errors[0].field.split(".")[0] == field


@pytest.mark.parametrize("language", ["fr", "ja-JP"])
def test_a_language_without_a_voice_is_refused(platform: Platform, language: str) -> None:
    user_id = add_user(platform)
    with pytest.raises(InvalidInput):
        generate(platform, user_id, add_channel(platform, user_id), language=language)


def test_a_length_that_cannot_be_filled_is_refused_with_the_longest_possible(
    platform: Platform,
) -> None:
    user_id = add_user(platform)
    with pytest.raises(InvalidInput) as refused:
        generate(platform, user_id, add_channel(platform, user_id), target_duration=3600)
    longest_s = refused.value.details["longest_s"]
    assert 60 <= longest_s < 3600
    generate(platform, user_id, add_channel(platform, user_id), target_duration=longest_s)


def test_a_video_needs_an_owner(platform: Platform) -> None:
    channel_id = add_channel(platform, add_user(platform))
    with pytest.raises(NotPermitted):
        generate(platform, None, channel_id)


def test_a_tier_has_only_so_many_channels_and_a_deleted_one_frees_its_place(
    platform: Platform,
) -> None:
    user_id = add_user(platform)
    with platform.runtime.sessions.begin() as session:
        first = service.create_channel(session, platform.settings, user_id, {"name": "One"})
        with pytest.raises(NotPermitted) as refused:
            service.create_channel(session, platform.settings, user_id, {"name": "Two"})
        assert refused.value.code is ErrorCode.CHANNEL_LIMIT_REACHED
        service.delete(session, first)
        session.flush()
        service.create_channel(session, platform.settings, user_id, {"name": "Two"})


def _nothing_is_stored(platform: Platform) -> None:
    with platform.runtime.sessions() as session:
        assert session.scalars(select(Job)).all() == []
        assert session.scalars(select(Video)).all() == []
