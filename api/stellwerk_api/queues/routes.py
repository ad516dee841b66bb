"""Queues: how they are, and pausing them."""

from flask import Response

from stellwerk.jobs import queue_states
from stellwerk.jobs.queries import API
from stellwerk_api.auth import caller, requires
from stellwerk_api.blueprint import Blueprint
from stellwerk_api.context import platform
from stellwerk_api.json_answers import json_answer
from stellwerk_api.queues.reading import every_queue, known, one_queue
from stellwerk_api.queues.schemas import QueueList, QueueSchema

queues = Blueprint("queues", url_prefix=f"{API}/queues", description="For operators.")
BLUEPRINTS = (queues,)


@queues.get("")
@requires("queues:read")
@queues.answers(200, QueueList)
def browse() -> Response:
    """List the queues with their depth, their oldest job, their workers and their rate."""
    return json_answer({"items": every_queue()})


@queues.get("/<name>")
@requires("queues:read")
@queues.answers(200, QueueSchema)
@queues.raises(404)
def show(name: str) -> Response:
    """Look at one queue."""
    return json_answer(one_queue(name))


@queues.post("/<name>/pause")
@requires("queues:manage")
@queues.answers(200, QueueSchema)
@queues.raises(404)
def pause(name: str) -> Response:
    """Let no further job of the queue start; what runs goes on. Jobs are still accepted."""
    queue_states.pause(platform().runtime, known(name), caller().user_id)
    return json_answer(one_queue(name))


@queues.post("/<name>/resume")
@requires("queues:manage")
@queues.answers(200, QueueSchema)
@queues.raises(404)
def resume(name: str) -> Response:
    """Let a paused queue go on."""
    queue_states.resume(platform().runtime, known(name), caller().user_id)
    return json_answer(one_queue(name))
