"""`/api/v1/listeners`, for the realtime process, and `/api/v1/ws` where it did not get there."""

from collections.abc import Mapping
from typing import Any

from flask import Response

from stellwerk.configuration.rates import RateClass
from stellwerk.errors import UpgradeRequired
from stellwerk.jobs.operation import Scope
from stellwerk.jobs.queries import API
from stellwerk_api.auth import requires
from stellwerk_api.blueprint import Blueprint
from stellwerk_api.json_answers import json_answer
from stellwerk_api.listeners.comparing import compared, own_standing
from stellwerk_api.listeners.schemas import ComparisonBody, ComparisonSchema, StandingSchema

listeners = Blueprint(
    "listeners", url_prefix=f"{API}/listeners", description="For the realtime process."
)
sockets = Blueprint("sockets", url_prefix=API, description="Events over a WebSocket.")
BLUEPRINTS = (listeners, sockets)

NOTHING: Mapping[str, Any] = {"jobs": {}, "credentials": []}


@listeners.get("/me")
@requires("jobs:read", counts=RateClass.POLLS)
@listeners.answers(200, StandingSchema)
def me() -> Response:
    """Tell whose credentials these are, and until when they stand."""
    return json_answer(own_standing())


@listeners.post("/compare")
@requires("listeners:compare", scope=Scope.OPERATOR)
@listeners.body(ComparisonBody, example=NOTHING)
@listeners.answers(200, ComparisonSchema)
def compare(told: Mapping[str, Any]) -> Response:
    """Find out what listeners missed; for the realtime process and its token."""
    return json_answer(compared(told))


@sockets.get("/ws")
@sockets.also(101, "The WebSocket is open; docs/realtime.md has the messages.")
@sockets.raises(426)
def ws() -> Response:
    """Listen to several jobs, or to all of one's own, over a WebSocket (RFC 6455).

    The first message is `{"type": "auth", "token": "..."}` with an access token or an API key.
    """
    raise UpgradeRequired("This is a WebSocket: connect with ws:// or wss:// at the public port.")
