"""Calling and hanging up in a caller's name."""

from typing import Any
from uuid import UUID

from flask import Response

from stellwerk.calls.schemas import OriginatePayload
from stellwerk.calls.service import call_of_job, hang_up
from stellwerk.calls.states import ENDED
from stellwerk_api.accepted import accepted, submit_for_caller
from stellwerk_api.auth import caller
from stellwerk_api.calls.addresses import status_url
from stellwerk_api.context import platform
from stellwerk_api.json_answers import json_answer

OPERATION = "calls.originate"


def originated(payload: dict[str, Any]) -> Response:
    """Submit the job that places a call."""
    job_id = submit_for_caller(OPERATION, OriginatePayload().dump(payload))
    with platform().runtime.sessions() as session:
        call_id = call_of_job(session, job_id, with_numbers=False).id
    return accepted(job_id, OPERATION, call_id=str(call_id), status_url=status_url(call_id))


def hung_up(call_id: UUID) -> Response:
    """Have a call of the caller's own ended: 200 where that is so already, else 202."""
    state = hang_up(platform().runtime, caller().user_id, call_id)
    body = {"call_id": str(call_id), "state": state, "status_url": status_url(call_id)}
    return json_answer(body, 200 if state in ENDED else 202)
