"""`/api/v1/operations`."""

from typing import cast

from flask import Response, current_app

from stellwerk.jobs.operation import Scope
from stellwerk.jobs.queries import API
from stellwerk_api.auth import caller, requires
from stellwerk_api.blueprint import Blueprint
from stellwerk_api.caching import cacheable
from stellwerk_api.json_answers import json_answer
from stellwerk_api.operations.catalogue import Catalogue
from stellwerk_api.operations.schemas import OperationList, OperationSchema

EXTENSION = "stellwerk.catalogue"

operations = Blueprint("operations", url_prefix=f"{API}/operations", description="The catalogue.")
BLUEPRINTS = (operations,)


@operations.get("")
@cacheable
@requires("operations:read", scope=Scope.SHARED)
@operations.answers(200, OperationList)
def browse() -> Response:
    """List every operation with its schemas, but for the platform's own that are not yours."""
    return json_answer({"items": _catalogue().listed(caller()), "next_cursor": None})


@operations.get("/<name>")
@cacheable
@requires("operations:read", scope=Scope.SHARED)
@operations.answers(200, OperationSchema)
@operations.raises(404)
def show(name: str) -> Response:
    """Look at one operation."""
    return json_answer(_catalogue().entry(name))


def _catalogue() -> Catalogue:
    return cast("Catalogue", current_app.extensions[EXTENSION])
