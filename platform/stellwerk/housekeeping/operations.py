"""Upkeep, started by beat."""

from marshmallow import Schema, fields

from stellwerk.jobs.operation import Operation, Scope


class PurgePayload(Schema):
    """Nothing to choose."""


class PurgeResult(Schema):
    """How many rows were removed, by kind."""

    removed = fields.Dict(keys=fields.String(), values=fields.Integer())


PURGE = Operation(
    name="housekeeping.purge",
    summary="Remove what has expired",
    payload=PurgePayload,
    result=PurgeResult,
    queue="short",
    permission="housekeeping:run",
    time_limit_s=1800,
    scope=Scope.OPERATOR,
)

OPERATIONS = (PURGE,)
