"""What clients ask and are told about calls."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from stellwerk.calls.states import CallState
from stellwerk.fields import Moment, PlainString
from stellwerk.providers.calls.protocol import EventKind, Leg
from stellwerk_api.accepted import Accepted
from stellwerk_api.pagination import PageQuery, page_schema
from stellwerk_api.query_fields import SeveralOf

LONGEST_NUMBER = 40  # as people write them, with spaces and brackets
NOT_KNOWN = "Null where it is not known any more: erased, or its encryption key is missing."


def _state(**options: Any) -> fields.Enum[CallState]:
    return fields.Enum(CallState, by_value=True, **options)


class AcceptedCall(Accepted):
    """The job that places a call, and the call's own names; `status_url` shows the call."""

    call_id = fields.UUID(required=True)


class HungUpSchema(Schema):
    """A call that is being hung up, or was never dialled."""

    call_id = fields.UUID(required=True)
    state = _state(required=True)
    status_url = fields.String(required=True)


class TimelineEvent(Schema):
    """Something that happened to one end of a call."""

    at = Moment(required=True)
    leg = fields.Enum(Leg, by_value=True, required=True)
    event = fields.Enum(EventKind, by_value=True, required=True)
    hangup_cause = fields.String(required=True, allow_none=True)


class CallSchema(Schema):
    """A call. `from` was rung before `to`; `cost` in EUR; causes are those of ITU-T Q.850."""

    call_id = fields.UUID(required=True)
    job_id = fields.UUID(required=True, allow_none=True)
    state = _state(required=True)
    uncertain = fields.Boolean(
        required=True, metadata={"description": "Nobody can tell whether it was dialled."}
    )
    to = fields.String(required=True, allow_none=True, metadata={"description": NOT_KNOWN})
    caller_id = fields.String(required=True, allow_none=True)
    provider = fields.String(required=True)
    simulated = fields.Boolean(required=True)
    record = fields.Boolean(required=True)
    timeout_s = fields.Integer(required=True)
    max_duration_s = fields.Integer(required=True)
    created_at = Moment(required=True)
    dialed_at = Moment(required=True, allow_none=True)
    ringing_at = Moment(required=True, allow_none=True)
    answered_at = Moment(required=True, allow_none=True)
    ended_at = Moment(required=True, allow_none=True)
    hangup_requested_at = Moment(required=True, allow_none=True)
    duration_s = fields.Integer(
        required=True, allow_none=True, metadata={"description": "From the answer to the end."}
    )
    billable_s = fields.Integer(required=True, allow_none=True)
    hangup_cause = fields.String(required=True, allow_none=True)
    cost = fields.Float(required=True, allow_none=True)
    status_url = fields.String(required=True)

    class Meta:
        """`from` is no name in Python."""

        include = {"from": fields.String(required=True, allow_none=True)}  # noqa: RUF012  its way


class CallStatusSchema(CallSchema):
    """A call with what happened in it, in the order of its events' times."""

    timeline = fields.List(fields.Nested(TimelineEvent), required=True)


CallPage = page_schema(CallSchema)


class Range(Schema):
    """From when to when calls were asked for."""

    since = Moment(metadata={"description": "Asked for then or later."})
    until = Moment(metadata={"description": "Asked for before that."})

    @validates_schema
    def _is_forward(self, data: dict[str, Any], **_: Any) -> None:
        since, until = data.get("since"), data.get("until")
        if since and until and since >= until:
            raise ValidationError("Lies before `since`.", "until")


class HistoryQuery(PageQuery, Range):
    """Filters of the history."""

    state = SeveralOf(_state(), load_default=list)
    number = PlainString(
        validate=validate.Length(1, LONGEST_NUMBER),
        metadata={"description": "That was called, or rung first; write + as %2B."},
    )


class FiguresQuery(Range):
    """Which calls are measured: without `since` the 30 days before `until`, which is now."""


class Figures(Schema):
    """How some calls went; `cost` in EUR."""

    calls = fields.Integer(required=True)
    dialed = fields.Integer(required=True, metadata={"description": "And ended by now."})
    answered = fields.Integer(required=True)
    uncertain = fields.Integer(required=True)
    simulated = fields.Integer(
        required=True, metadata={"description": "Of all: by a simulator, which costs nothing."}
    )
    asr_percent = fields.Float(
        required=True, allow_none=True, metadata={"description": "Answered of those dialled."}
    )
    acd_s = fields.Float(
        required=True, allow_none=True, metadata={"description": "Average call duration."}
    )
    billable_s = fields.Integer(required=True)
    cost = fields.Float(required=True)


class DayFigures(Figures):
    """Those of a day (UTC)."""

    day = fields.Date(required=True)


class CallFigures(Figures):
    """All of them, and each day on which there were calls."""

    since = Moment(required=True)
    until = Moment(required=True)
    by_state = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    by_cause = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    queued = fields.Integer(required=True, metadata={"description": "Now."})
    concurrent = fields.Integer(required=True, metadata={"description": "Under way now."})
    concurrent_peak = fields.Integer(required=True)
    days = fields.List(fields.Nested(DayFigures), required=True)
