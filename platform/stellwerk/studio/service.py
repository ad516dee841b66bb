"""The rules of channels and videos: limits, budgets, and what a job's life does to its video."""

from contextlib import suppress
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from stellwerk.configuration.entries import PRICES_EUR
from stellwerk.errors import (
    Conflict,
    ErrorCode,
    JobFailed,
    LimitReached,
    NotPermitted,
    PaymentRequired,
)
from stellwerk.identity.allowances import allowances
from stellwerk.identity.model import User
from stellwerk.jobs import control
from stellwerk.jobs.artifacts import remove_artifacts
from stellwerk.jobs.model import Job
from stellwerk.jobs.runtime import Runtime
from stellwerk.jobs.spending import committed_this_month
from stellwerk.jobs.states import JobStatus
from stellwerk.money import money
from stellwerk.providers.pricing import estimate
from stellwerk.providers.script.protocol import Script, ScriptRequest, Style
from stellwerk.settings import Settings
from stellwerk.studio import queries
from stellwerk.studio.model import Channel, Video
from stellwerk.studio.states import AFTER_JOB, VideoStatus

TITLE_CHARACTERS = 200
TAG_CHARACTERS = 64

_UNTIL_MIDNIGHT = text("""
    SELECT extract(epoch FROM date_trunc('day', timezone('UTC', now())) + interval '1 day'
        - timezone('UTC', now()))
""")


def create_channel(
    session: Session, settings: Settings, user_id: int, fields: dict[str, Any]
) -> Channel:
    """A new channel; raises NotPermitted (CHANNEL_LIMIT_REACHED)."""
    user = _locked_user(session, user_id)
    limit = allowances(settings, user).channels
    if queries.channels_held(session, user_id) >= limit:
        message = f"Your tier allows {limit} channel(s). Delete one or choose a higher tier."
        raise NotPermitted(
            message, code=ErrorCode.CHANNEL_LIMIT_REACHED, details={"channels_limit": limit}
        )
    channel = Channel(user_id=user_id, **fields)
    session.add(channel)
    session.flush()
    return channel


def change(row: Channel | Video, fields: dict[str, Any]) -> None:
    """Set what its owner may set."""
    for name, value in fields.items():
        setattr(row, name, value)


def delete(session: Session, row: Channel | Video) -> None:
    """Hide it; what it cost stays on record."""
    row.deleted_at = session.scalar(select(func.now()))


def delete_video(runtime: Runtime, user_id: int, video_id: int) -> None:
    """Cancel the generation if it is under way, hide the video and remove its artifacts.

    Raises NotFound, ProviderUnavailable (the artifact store; the rows stay, to try again).
    """
    with runtime.sessions() as session:
        job_id = queries.own_video(session, user_id, video_id).job_id
    with suppress(Conflict):  # it ended already
        control.cancel(runtime, job_id)
    with runtime.sessions.begin() as session:
        delete(session, queries.own_video(session, user_id, video_id))
    remove_artifacts(runtime, job_id)


def estimated_cost(runtime: Runtime, payload: dict[str, Any]) -> Decimal:
    """What a video of this payload will cost in EUR, by the configured providers' prices."""
    settings = runtime.settings
    return estimate(
        payload["target_duration"],
        script=settings.script_provider.value,
        voice=settings.voice_provider.value,
        images=settings.image_provider.value,
        prices=runtime.configuration[PRICES_EUR],
    )


def script_request(payload: dict[str, Any]) -> ScriptRequest:
    """The payload of `videos.generate` as the script writer takes it."""
    return ScriptRequest(
        topic=payload["topic"].strip(),
        style=Style(payload["style"]),
        keywords=tuple(payload["keywords"]),
        language=payload["language"],
        target_duration_s=float(payload["target_duration"]),
    )


def accept_generation(session: Session, job: Job, runtime: Runtime) -> None:
    """Refuse what cannot be made or paid; else reserve its cost and add the video's row.

    Raises NotFound (channel), InvalidInput (language, length), LimitReached (videos of the
    day), PaymentRequired (BUDGET_EXCEEDED), NotPermitted (no owner).
    """
    if job.owner_id is None:
        raise NotPermitted("A video needs an owner.")
    user = _locked_user(session, job.owner_id)
    payload = job.payload
    queries.own_channel(session, user.id, payload["channel_id"])
    runtime.providers.refuse_script(script_request(payload))
    _refuse_too_many(session, runtime.settings, user)
    job.reserved_cost = _reserve(session, runtime, user, payload)
    session.add(
        Video(
            user_id=user.id,
            channel_id=payload["channel_id"],
            job_id=job.id,
            topic=payload["topic"].strip(),
            title=payload["topic"].strip(),
            language=payload["language"],
            auto_publish=payload["auto_publish"],
            publish_at=payload["schedule_time"],
        )
    )


def start_generation(session: Session, job_id: Any) -> Video:
    """The video is being made from now on; returns its row.

    Raises JobFailed where its owner deleted it meanwhile.
    """
    video = queries.video_of_job(session, job_id)
    if video.deleted_at is not None:
        raise JobFailed("The video was deleted.", code=ErrorCode.GONE)
    video.status = VideoStatus.PROCESSING
    return video


def describe_video(video: Video, script: Script) -> None:
    """Take title, description and tags from the script."""
    video.title = script.title[:TITLE_CHARACTERS]
    video.description = script.description
    video.tags = [tag[:TAG_CHARACTERS] for tag in script.tags]


def end_generation(session: Session, job: Job, runtime: Runtime) -> None:  # noqa: ARG001  a hook
    """Whoever ended the job: the video is ready or failed now, never left processing."""
    video = queries.video_of_job(session, job.id)
    video.status = AFTER_JOB[JobStatus(job.status)]


def requeue_generation(session: Session, job: Job, runtime: Runtime) -> None:
    """The job is tried again: the budget must cover it again."""
    video = queries.video_of_job(session, job.id)
    video.status = VideoStatus.QUEUED
    user = _locked_user(session, video.user_id)
    job.reserved_cost = _reserve(session, runtime, user, job.payload)


def _locked_user(session: Session, user_id: int) -> User:
    """The user, of whom nobody else counts limits and budget until the transaction ends.

    FOR NO KEY UPDATE: a job just inserted holds its owner's key, so behind FOR UPDATE two
    submissions at once would wait for each other in a ring.
    """
    return session.get_one(
        User, user_id, with_for_update={"key_share": True}, populate_existing=True
    )


def _refuse_too_many(session: Session, settings: Settings, user: User) -> None:
    limit = allowances(settings, user).daily_videos
    if queries.videos_today(session, user.id) >= limit:
        retry_after_s = float(session.scalar(_UNTIL_MIDNIGHT) or 0)
        message = f"Your tier allows {limit} video(s) a day. Come back tomorrow (UTC)."
        details = {"daily_video_limit": limit}
        raise LimitReached(message, details=details, retry_after_s=retry_after_s)


def _reserve(session: Session, runtime: Runtime, user: User, payload: dict[str, Any]) -> Decimal:
    expected = estimated_cost(runtime, payload)
    left = allowances(runtime.settings, user).monthly_budget - committed_this_month(
        session, user.id
    )
    if expected > left:
        message = f"It would cost about {money(expected)}; {money(left)} are left this month."
        details = {"estimate": round(float(expected), 6), "left": round(float(left), 6)}
        raise PaymentRequired(message, details=details)
    return expected
