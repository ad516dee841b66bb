"""Payloads and results of the diagnostics operations."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from stellwerk.diagnostics.kinds import CrashAt, ErrorKind, Then
from stellwerk.fields import Flag, Real
from stellwerk.jobs.children import ChildFailure
from stellwerk.jobs.effects import Repeat
from stellwerk.jobs.waits import NAME_MAX


class EchoPayload(Schema):
    """Anything JSON."""

    message = fields.String(load_default="", validate=validate.Length(max=10_000))
    data = fields.Raw(load_default=None, allow_none=True)
    wait_ms = fields.Integer(
        load_default=0,
        strict=True,
        validate=validate.Range(0, 1000),
        metadata={"description": "Milliseconds to wait before answering."},
    )


class EchoResult(Schema):
    """The payload, and who answered."""

    message = fields.String()
    data = fields.Raw(allow_none=True)
    worker = fields.String()


class SleepPayload(Schema):
    """How long, in how many steps."""

    seconds = Real(load_default=1.0, validate=validate.Range(0, 300))
    steps = fields.Integer(load_default=1, strict=True, validate=validate.Range(1, 100))


class SleepResult(Schema):
    """How long it slept in this attempt."""

    slept_s = fields.Float()
    steps = fields.Integer()


class FailPayload(Schema):
    """How it fails, and from which attempt on it no longer does."""

    kind = fields.Enum(ErrorKind, by_value=True, load_default=ErrorKind.RETRYABLE)
    succeed_on_attempt = fields.Integer(
        load_default=None,
        allow_none=True,
        strict=True,
        validate=validate.Range(1, 100),
        metadata={"description": "The attempt that succeeds; null: none does."},
    )
    message = fields.String(
        load_default="It failed because it was asked to.", validate=validate.Length(max=500)
    )


class FailResult(Schema):
    """The attempt that succeeded."""

    attempt = fields.Integer()


class EffectPayload(Schema):
    """Which kind of effect, how often, and what goes wrong."""

    kind = fields.Enum(Repeat, by_value=True, load_default=Repeat.IDEMPOTENT)
    count = fields.Integer(load_default=1, strict=True, validate=validate.Range(1, 100))
    call_s = Real(
        load_default=0.0,
        validate=validate.Range(0, 30),
        metadata={"description": "How long each call takes before it happens."},
    )
    crash = fields.Enum(
        CrashAt,
        by_value=True,
        load_default=None,
        allow_none=True,
        metadata={"description": "Where the first attempt kills its worker; null: nowhere."},
    )
    can_tell = Flag(
        load_default=True,
        metadata={"description": "Whether the outside world can be asked (kind `probe`)."},
    )


class EffectResult(Schema):
    """The idempotency keys under which the recorder knows the effects."""

    keys = fields.List(fields.String())


class FanOutPayload(Schema):
    """How many children, and what becomes of them."""

    children = fields.Integer(load_default=3, strict=True, validate=validate.Range(1, 1000))
    wait_ms = fields.Integer(
        load_default=0,
        strict=True,
        validate=validate.Range(0, 1000),
        metadata={"description": "Milliseconds that each child takes."},
    )
    failing = fields.Integer(
        load_default=0,
        strict=True,
        validate=validate.Range(0, 1000),
        metadata={"description": "How many of them fail; the last ones."},
    )
    failure = fields.Enum(
        ChildFailure,
        by_value=True,
        load_default=ChildFailure.FAIL_FAST,
        metadata={"description": "What a failed child means for this job."},
    )

    @validates_schema
    def _no_more_than_all(self, data: dict[str, Any], **_: Any) -> None:
        if data["failing"] > data["children"]:
            raise ValidationError("No more than there are children.", "failing")


class FanOutResult(Schema):
    """How the children ended."""

    completed = fields.Integer()
    failed = fields.Integer()


class WaitPayload(Schema):
    """Which signal, how often, and how long for each."""

    signal = fields.String(load_default="go", validate=validate.Length(1, NAME_MAX))
    times = fields.Integer(load_default=1, strict=True, validate=validate.Range(1, 10))
    timeout_s = Real(
        load_default=3600.0,
        validate=validate.Range(0, 604_800),
        metadata={"description": "How long to wait for each of them; then the job fails."},
    )


class WaitResult(Schema):
    """What came with the signals, in their order."""

    data = fields.List(fields.Raw(allow_none=True))


class UndoPayload(Schema):
    """What comes after the steps, and whether rolling back goes well."""

    then = fields.Enum(Then, by_value=True, load_default=Then.FAIL)
    crash = Flag(
        load_default=False,
        metadata={"description": "Whether the first try to undo `first` kills its worker."},
    )


class UndoResult(Schema):
    """The keys under which the recorder knows the steps."""

    keys = fields.List(fields.String())
