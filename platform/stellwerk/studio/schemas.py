"""What clients send and get about channels and videos, and the payload of video jobs."""

from datetime import UTC, datetime
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates

from stellwerk.fields import (
    CronExpression,
    Flag,
    Identifier,
    Moment,
    Pattern,
    PlainString,
    TimeZoneName,
)
from stellwerk.providers.script.protocol import Style
from stellwerk.studio.states import VideoStatus


class PublishSchedule(Schema):
    """When a channel publishes."""

    cron = CronExpression(required=True, validate=validate.Length(1, 100))
    timezone = TimeZoneName(load_default="UTC", validate=validate.Length(1, 64))


class ChannelFields(Schema):
    """What its owner may set of a channel."""

    name = PlainString(required=True, validate=validate.Length(1, 100))
    niche = PlainString(validate=validate.Length(max=100))
    description = PlainString(validate=validate.Length(max=5000))
    is_active = Flag()
    auto_publish = Flag()
    publish_schedule = fields.Nested(PublishSchedule, allow_none=True)


class ChannelPatch(ChannelFields):
    """The same, nothing of it required."""

    name = PlainString(validate=validate.Length(1, 100))


class ChannelSchema(ChannelFields):
    """A channel; `total_cost` in EUR is the sum of its videos' cost lines."""

    id = fields.Integer(dump_only=True)
    user_id = fields.Integer(dump_only=True)
    youtube_channel_id = fields.String(dump_only=True, allow_none=True)
    total_videos = fields.Integer(dump_only=True)
    total_cost = fields.Float(dump_only=True)
    created_at = Moment(dump_only=True)


class GeneratePayload(Schema):
    """What a video is made of; `schedule_time` is when it is published, not when it is made."""

    channel_id = Identifier(required=True)
    topic = PlainString(required=True, validate=validate.Length(3, 200))
    style = fields.Enum(Style, by_value=True, load_default=Style.EDUCATIONAL)
    target_duration = fields.Integer(
        load_default=60,
        strict=True,
        validate=validate.Range(15, 3600),
        metadata={"description": "Seconds; the result is within 10 %."},
    )
    keywords = fields.List(
        PlainString(validate=validate.Length(1, 60)),
        load_default=list,
        validate=validate.Length(max=20),
    )
    language = PlainString(
        load_default="en",
        validate=Pattern(
            r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", error="Not a BCP 47 language tag."
        ),
    )
    auto_publish = Flag(load_default=False)
    schedule_time = Moment(load_default=None, allow_none=True)

    @validates("topic")
    def _not_blank(self, value: str, **_: Any) -> None:
        if len(value.strip()) < 3:  # noqa: PLR2004  the contract's own minimum
            raise ValidationError("Needs at least 3 characters that are not blank.")


class GenerateRequest(GeneratePayload):
    """The same, as a request: the time of publication lies in the future."""

    @validates("schedule_time")
    def _in_future(self, value: datetime | None, **_: Any) -> None:
        if value is not None and value <= datetime.now(UTC):
            raise ValidationError("Lies in the past.")


class GenerateResult(Schema):
    """What the job came to."""

    video_id = fields.Integer()
    title = fields.String()
    duration_s = fields.Float()
    quality_score = fields.Float()


class VideoPatch(Schema):
    """What may be edited."""

    title = PlainString(validate=validate.Length(1, 200))
    description = PlainString(validate=validate.Length(max=5000))
    tags = fields.List(
        PlainString(validate=validate.Length(1, 64)), validate=validate.Length(max=30)
    )


class VideoSchema(Schema):
    """A video; `duration` in seconds, `total_cost` in EUR, `quality_parts` explain the score."""

    id = fields.Integer()
    channel_id = fields.Integer()
    job_id = fields.UUID()
    topic = fields.String()
    title = fields.String()
    description = fields.String()
    tags = fields.List(fields.String())
    language = fields.String()
    status = fields.Enum(VideoStatus, by_value=True)
    youtube_video_id = fields.String(allow_none=True)
    duration = fields.Float(attribute="duration_s", allow_none=True)
    quality_score = fields.Float(allow_none=True)
    quality_parts = fields.Dict(allow_none=True)
    total_cost = fields.Float()
    auto_publish = fields.Boolean()
    publish_at = Moment(allow_none=True)
    created_at = Moment()
    published_at = Moment(allow_none=True)
    status_url = fields.String()
    artifacts_url = fields.String()


class CostLineSchema(Schema):
    """One paid call."""

    step = fields.String()
    provider = fields.String()
    unit = fields.String()
    quantity = fields.Float()
    unit_price = fields.Float()
    amount = fields.Float()
    created_at = Moment()


class CostSchema(Schema):
    """What a video cost."""

    video_id = fields.Integer()
    currency = fields.Constant("EUR")
    total = fields.Float()
    lines = fields.List(fields.Nested(CostLineSchema))
