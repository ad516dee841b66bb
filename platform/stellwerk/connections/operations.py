"""What is done about connections without anybody waiting for it."""

from typing import Any
from uuid import UUID

from marshmallow import Schema, fields
from sqlalchemy import delete
from sqlalchemy.orm import Session

from stellwerk.connections.model import OauthRevocation
from stellwerk.connections.service import REVOKE
from stellwerk.connections.tokens import TELL_LOST
from stellwerk.fields import Flag
from stellwerk.jobs.model import Job
from stellwerk.jobs.operation import Operation, RetryPolicy, Scope

MINUTE_S, HOUR_S = 60, 3600


class RevokePayload(Schema):
    """Which tokens."""

    revocation_id = fields.UUID(required=True)


class RevokeResult(Schema):
    """Whether the provider was told; not where another connection goes on with the account."""

    revoked = fields.Boolean(required=True)


class TellLostPayload(Schema):
    """Which connection; `was_cut_short`: its last renewal was not seen to its end."""

    connection_id = fields.UUID(required=True)
    was_cut_short = Flag(load_default=False)


class TellLostResult(Schema):
    """What its user is told; null where the connection is gone or works again."""

    provider = fields.String(required=True, allow_none=True)
    channel_id = fields.Integer(required=True, allow_none=True)
    reason = fields.String(required=True, allow_none=True)
    mailed = fields.Boolean(required=True)


def forget_tokens(session: Session, job: Job, runtime: Any) -> None:
    """Whether or not the provider could be told: there is no use in keeping them."""
    del runtime
    parting_id = UUID(job.payload["revocation_id"])
    session.execute(delete(OauthRevocation).where(OauthRevocation.id == parting_id))


REVOCATION = Operation(
    name=REVOKE,
    summary="Tell a provider that a connection is over",
    payload=RevokePayload,
    result=RevokeResult,
    queue="short",
    permission="connections:tend",
    time_limit_s=60,
    scope=Scope.OPERATOR,
    retry=RetryPolicy.after(MINUTE_S, 10 * MINUTE_S, HOUR_S, 6 * HOUR_S),
    is_internal=True,
    on_end=forget_tokens,
)
LOSS = Operation(
    name=TELL_LOST,
    summary="Tell a user that an account has to be connected again",
    payload=TellLostPayload,
    result=TellLostResult,
    queue="short",
    permission="connections:tend",
    time_limit_s=60,
    scope=Scope.OPERATOR,
)

OPERATIONS = (REVOCATION, LOSS)
