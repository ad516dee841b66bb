"""`/api/v1/repositories`."""

from collections.abc import Mapping
from typing import Any

from flask import Response

from stellwerk.jobs.operation import Scope
from stellwerk.jobs.queries import API
from stellwerk.modules.schemas import SyncPayload
from stellwerk_api.accepted import HEADERS, replay_header
from stellwerk_api.auth import requires
from stellwerk_api.blueprint import Blueprint
from stellwerk_api.idempotency import REPLAYED
from stellwerk_api.jobs.documents import JobDocument
from stellwerk_api.json_answers import json_answer
from stellwerk_api.modules.acting import submitted
from stellwerk_api.modules.schemas import AcceptedOperation
from stellwerk_api.repositories import changes
from stellwerk_api.repositories.schemas import AddedRepository, NewRepositoryBody
from stellwerk_api.repository import reading
from stellwerk_api.repository.schemas import RepositoryList, RepositorySchema

repositories = Blueprint(
    "repositories", url_prefix=f"{API}/repositories", description="Where modules come from."
)
BLUEPRINTS = (repositories,)

READ, MANAGE = "modules:read", "modules:manage"
EXAMPLE = {"name": "ours", "kind": "https", "location": "https://modules.example.com/stable"}


@repositories.get("")
@requires(READ, scope=Scope.SHARED)
@repositories.answers(200, RepositoryList)
def browse() -> Response:
    """List repositories, with what was last read of each."""
    return json_answer(reading.repositories())


@repositories.post("")
@requires(MANAGE, scope=Scope.OPERATOR, submits=True)
@repositories.body(NewRepositoryBody, example=EXAMPLE)
@repositories.answers(201, AddedRepository, headers=(REPLAYED,))
@repositories.once()
@repositories.raises(409, 429)
def add(body: Mapping[str, Any]) -> Response:
    """Add a repository; it is read now, an address by a job.

    In production it needs a public key.
    """
    return json_answer(changes.added(body), 201, headers=replay_header())


@repositories.get("/<int:repository_id>")
@requires(READ, scope=Scope.SHARED)
@repositories.answers(200, RepositorySchema)
@repositories.raises(404)
def show(repository_id: int) -> Response:
    """Look at a repository."""
    return json_answer(reading.repository(repository_id))


@repositories.delete("/<int:repository_id>")
@requires(MANAGE, scope=Scope.OPERATOR)
@repositories.answers(204)
@repositories.raises(404, 409)
def remove(repository_id: int) -> Response:
    """Forget a repository that no installed module is from."""
    changes.removed(repository_id)
    return Response(status=204)


@repositories.post("/<int:repository_id>/sync")
@requires(MANAGE, scope=Scope.OPERATOR, submits=True)
@repositories.answers(202, AcceptedOperation, headers=HEADERS)
@repositories.once()
@repositories.waits(JobDocument)
@repositories.raises(404, 409, 429)
def sync(repository_id: int) -> Response:
    """Read a repository's index now."""
    reading.repository(repository_id)
    return submitted(changes.SYNC, {"repository_id": repository_id}, SyncPayload)
