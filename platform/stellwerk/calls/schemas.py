"""The payload and the result of `calls.originate`."""

from marshmallow import Schema, fields, validate

from stellwerk.calls.numbers import WRITTEN
from stellwerk.calls.states import CallState
from stellwerk.fields import Flag, Moment, Pattern, PlainString

LONGEST = 40  # letters of a number as it is written
RING_S, CALL_S = 60, 3600
_MARKS = "Only digits, a leading + and spaces, ( ) . / - between them."


def _number(what: str, *, required: bool = False) -> PlainString:
    checks = [validate.Length(1, LONGEST), Pattern(WRITTEN, error=_MARKS)]
    told = {"description": what, "example": "+49 30 12341005"}
    if required:
        return PlainString(required=True, validate=checks, metadata=told)
    return PlainString(load_default=None, allow_none=True, validate=checks, metadata=told)


class OriginatePayload(Schema):
    """Whom to call; with `from` that number is rung first, and then connected."""

    to = _number("Who is called: with country code, or as from the platform's own.", required=True)
    caller_id = _number("The number that is shown, if it may be; by default the trunk's.")
    timeout_s = fields.Integer(
        load_default=RING_S,
        strict=True,
        validate=validate.Range(5, 300),
        metadata={"description": "So long it rings at most."},
    )
    record = Flag(load_default=False)
    max_duration_s = fields.Integer(
        load_default=CALL_S,
        strict=True,
        validate=validate.Range(1, 14_400),
        metadata={"description": "After so long the call is ended; its price is reserved."},
    )

    class Meta:
        """`from` is a word of Python."""

        include = {"from": _number("Who is rung before that, and then connected.")}  # noqa: RUF012  marshmallow's own


class OriginateResult(Schema):
    """The record of the call; amounts in EUR."""

    call_id = fields.UUID()
    state = fields.Enum(CallState, by_value=True)
    cause = fields.String(allow_none=True)
    to = fields.String(allow_none=True)
    created_at = Moment()
    dialed_at = Moment(allow_none=True)
    ringing_at = Moment(allow_none=True)
    answered_at = Moment(allow_none=True)
    ended_at = Moment(allow_none=True)
    duration_s = fields.Integer()
    billable_s = fields.Integer()
    cost_eur = fields.Float()

    class Meta:
        """`from` is a word of Python."""

        include = {"from": fields.String(allow_none=True)}  # noqa: RUF012  marshmallow's own
