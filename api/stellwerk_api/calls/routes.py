"""`/api/v1/call`, `/call-status`, `/call-history`, and `/admin/metrics` about all calls."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import Response

from stellwerk.calls.schemas import OriginatePayload
from stellwerk.configuration.rates import RateClass
from stellwerk.jobs.operation import Scope
from stellwerk.jobs.queries import API
from stellwerk_api.accepted import HEADERS
from stellwerk_api.auth import requires
from stellwerk_api.blueprint import Blueprint
from stellwerk_api.calls import acting, reading
from stellwerk_api.calls.schemas import (
    AcceptedCall,
    CallFigures,
    CallPage,
    CallStatusSchema,
    FiguresQuery,
    HistoryQuery,
    HungUpSchema,
)
from stellwerk_api.documentation.parameters import IF_NONE_MATCH
from stellwerk_api.jobs.documents import JobDocument

blueprint = Blueprint("calls", url_prefix=API, description="Telephone calls.")
BLUEPRINTS = (blueprint,)
EXAMPLE = {"to": "+493012341000", "timeout_s": 30}


@blueprint.post("/call")
@requires("calls:originate", submits=True)
@blueprint.body(OriginatePayload, example=EXAMPLE)
@blueprint.answers(202, AcceptedCall, headers=HEADERS)
@blueprint.once()
@blueprint.waits(JobDocument)
@blueprint.raises(402, 409, 429)
def originate(payload: dict[str, Any]) -> Response:
    """Call a number: a job that ends with the call.

    With `from`, that number is rung first and then put through. A number is dialled at most once.
    """
    return acting.originated(payload)


@blueprint.post("/call/<uuid:call_id>/hangup")
@requires("calls:originate")
@blueprint.answers(202, HungUpSchema)
@blueprint.or_answers(200, HungUpSchema, "It was not dialled, and is not any more.")
@blueprint.raises(404, 409)
def hang_up(call_id: UUID) -> Response:
    """Hang up; asked again it does nothing more.

    A call that has ended is refused with its state.
    """
    return acting.hung_up(call_id)


@blueprint.get("/call-status/<uuid:call_id>")
@requires("calls:read", counts=RateClass.POLLS)
@blueprint.answers(200, CallStatusSchema, headers=("ETag", "Retry-After"))
@blueprint.also(304, "The call is still as If-None-Match says.", ("ETag", "Retry-After"))
@blueprint.reads(IF_NONE_MATCH)
@blueprint.raises(404)
def show(call_id: UUID) -> Response:
    """Look at a call; `Retry-After` says when to look again, until it has ended.

    Operators see everybody's, with the numbers masked.
    """
    return reading.polled(call_id)


@blueprint.get("/call-history")
@requires("calls:read")
@blueprint.query(HistoryQuery)
@blueprint.answers(200, CallPage)
@blueprint.raises(422)
def browse(query: Mapping[str, Any]) -> Mapping[str, Any]:
    """List your calls, newest first."""
    return reading.listed(query)


@blueprint.get("/admin/metrics")
@requires("calls:metrics", scope=Scope.OPERATOR)
@blueprint.query(FiguresQuery)
@blueprint.answers(200, CallFigures)
@blueprint.raises(422)
def measure(query: Mapping[str, Any]) -> Mapping[str, Any]:
    """How everybody's calls went: answered ones, their length, cost, causes, day by day."""
    return reading.measured(query)
