"""What clients send and get about schedules."""

from marshmallow import Schema, fields, validate

from stellwerk.fields import CronExpression, Instant, Moment, PlainString, TimeZoneName
from stellwerk.jobs.states import JobStatus
from stellwerk.providers.outbound.targets import LONGEST_URL
from stellwerk.schedules.model import FireOutcome, Misfire, Overlap

YEAR_S = 366 * 24 * 3600


class SchedulePatch(Schema):
    """What its owner may change of a schedule; a new timing counts from now on."""

    name = PlainString(validate=validate.Length(1, 120))
    payload = fields.Dict(
        keys=fields.String(),
        metadata={"description": "By the operation's own schema: GET /operations/{name}."},
    )
    tags = fields.List(
        PlainString(validate=validate.Length(1, 64)), validate=validate.Length(max=19)
    )
    queue = PlainString(
        allow_none=True,
        validate=validate.Length(1, 40),
        metadata={
            "description": "Of its jobs: the operation's own (null), or the same with `_low` "
            "behind it."
        },
    )
    callback_url = PlainString(
        allow_none=True,
        validate=validate.Length(1, LONGEST_URL),
        metadata={
            "description": "Told of each job's end by a signed POST; make a secret for it first: "
            "POST /webhook-endpoints/callback-secret."
        },
    )
    cron = CronExpression(
        allow_none=True,
        validate=validate.Length(1, 100),
        metadata={"description": "Five fields: minute, hour, day, month, weekday."},
    )
    time_zone = TimeZoneName(
        validate=validate.Length(1, 64),
        metadata={"description": "IANA name in which `cron` is read, such as Europe/Zurich."},
    )
    interval_s = fields.Integer(
        allow_none=True,
        strict=True,
        validate=validate.Range(1, YEAR_S),
        metadata={"description": "Seconds, counted from `starts_at`; instead of `cron`."},
    )
    starts_at = Instant(metadata={"description": "Not before; by default: now."})
    overlap = fields.Enum(
        Overlap,
        by_value=True,
        metadata={
            "description": "When due while its last job is not finished: `skip` this time, "
            "`queue` it until that job has ended, or `allow` both at once."
        },
    )
    misfire = fields.Enum(
        Misfire,
        by_value=True,
        metadata={
            "description": "Times that passed while no dispatcher ran: `skip` them, or "
            "`run_once` for all of them."
        },
    )


class ScheduleFields(SchedulePatch):
    """A schedule: what to submit, and either `cron` or `interval_s`."""

    name = PlainString(required=True, validate=validate.Length(1, 120))
    operation = PlainString(required=True, validate=validate.Length(1, 80))


class LastFire(Schema):
    """The last time it was due, or was run by hand."""

    fire_at = Moment()
    outcome = fields.Enum(FireOutcome, by_value=True)
    job_id = fields.UUID(allow_none=True)
    job_status = fields.Enum(
        JobStatus,
        by_value=True,
        allow_none=True,
        metadata={"description": "null where there is no job, or no more."},
    )
    missed = fields.Integer(metadata={"description": "Times before it that nobody heeded."})
    by_hand = fields.Boolean()
    reason = fields.String(metadata={"description": "Why it was refused; else empty."})


class ScheduleSchema(ScheduleFields):
    """A schedule as its owner sees it."""

    id = fields.UUID(dump_only=True)
    starts_at = Moment()
    paused = fields.Boolean(dump_only=True)
    next_fire_at = Moment(dump_only=True, allow_none=True)
    next_fire_times = fields.List(Moment(), dump_only=True)
    last_fire = fields.Nested(LastFire, dump_only=True, allow_none=True)
    created_at = Moment(dump_only=True)
    updated_at = Moment(dump_only=True)


class FireSchema(LastFire):
    """A time at which a schedule was due."""
