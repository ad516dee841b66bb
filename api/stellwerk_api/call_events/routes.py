"""`/api/v1/call-events`: requests that carriers send, known by their signatures."""

from collections.abc import Sequence

from flask import Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from stellwerk.calls import dialing
from stellwerk.errors import NotFound, NotPermitted
from stellwerk.providers.calls.callbacks import PATH, Callback, Callbacks
from stellwerk.providers.calls.protocol import CallEvent
from stellwerk_api.auth import count_stranger, signed
from stellwerk_api.blueprint import Blueprint
from stellwerk_api.context import platform

blueprint = Blueprint("call_events", url_prefix=PATH, description="What carriers tell of calls.")
BLUEPRINTS = (blueprint,)

MAX_BYTES = 64 * 1024
OF_TWILIO = {
    "CallSid": "CA0123456789abcdef0123456789abcdef",
    "CallStatus": "completed",
    "CallDuration": "61",
    "Timestamp": "Sun, 01 Mar 2026 12:01:01 +0000",
}
OF_TELNYX = {
    "data": {
        "record_type": "event",
        "event_type": "call.hangup",
        "occurred_at": "2026-03-01T12:01:01.000000Z",
        "payload": {
            "call_control_id": "v3:MdI91X4lWFEs7IgbBEOT9M4AigoY08M0WWZFISt1Yw2axZ_IiE4pqg",
            "call_leg_id": "428c31b6-7af4-4bcb-b7f5-5013ef9657c1",
            "client_state": "c3RlbGx3ZXJrOi4uLg==",
            "hangup_cause": "user_busy",
        },
    }
}


@blueprint.post("/<carrier>")
@signed
@blueprint.takes({"application/x-www-form-urlencoded": OF_TWILIO, "application/json": OF_TELNYX})
@blueprint.answers(204)
@blueprint.raises(403, 404)
def hear(carrier: str) -> Response:
    """Take what Twilio or Telnyx tells of a call; others are refused by their signature."""
    runtime = platform().runtime
    reader = runtime.providers.callbacks.get(carrier)
    if reader is None:
        raise NotFound("No such carrier is set up.")
    dialing.record(runtime, carrier, _told(reader))
    return Response(status=204)


def _told(reader: Callbacks) -> Sequence[CallEvent]:
    """What a carrier tells counts for no limit: of calls that are paid for, none goes unheard."""
    try:
        return reader.events(_callback())
    except NotPermitted:
        count_stranger()
        raise


def _callback() -> Callback:
    body = request.get_data()
    if len(body) > MAX_BYTES:
        raise RequestEntityTooLarge
    query = request.query_string.decode("latin-1")
    path = f"{request.path}?{query}" if query else request.path
    return Callback(path, {name.lower(): value for name, value in request.headers}, body)
