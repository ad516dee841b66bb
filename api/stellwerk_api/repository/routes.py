"""`/api/v1/repository`, and `/api/install`, which older clients know."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import Response

from stellwerk.configuration.rates import RateClass
from stellwerk.jobs.operation import Scope
from stellwerk.jobs.queries import API
from stellwerk.modules.schemas import InstallPayload, UninstallPayload
from stellwerk_api.accepted import HEADERS
from stellwerk_api.auth import requires
from stellwerk_api.blueprint import Blueprint
from stellwerk_api.jobs.documents import JobDocument
from stellwerk_api.json_answers import json_answer
from stellwerk_api.modules.acting import INSTALL, named, submitted
from stellwerk_api.modules.addresses import status_url
from stellwerk_api.modules.reading import operation
from stellwerk_api.modules.schemas import (
    AcceptedOperation,
    DataQuery,
    InstallBody,
    OperationFormSchema,
)
from stellwerk_api.repository import reading
from stellwerk_api.repository.schemas import OfferPage, OfferQuery, RepositoryList

repository = Blueprint(
    "repository", url_prefix=f"{API}/repository", description="Modules that can be installed."
)
legacy = Blueprint("legacy_install", url_prefix="/api/install", description="For older clients.")
BLUEPRINTS = (repository, legacy)

READ, MANAGE = "modules:read", "modules:manage"
EXAMPLE = {"module_name": "clock", "environment": {"GREETING": "hello"}}


@repository.get("/list")
@requires(READ, scope=Scope.SHARED)
@repository.answers(200, RepositoryList)
def browse() -> Response:
    """List repositories, with what was last read of each."""
    return json_answer(reading.repositories())


@repository.get("/modules")
@requires(READ, scope=Scope.SHARED)
@repository.query(OfferQuery)
@repository.answers(200, OfferPage)
@repository.raises(404)
def offers(query: Mapping[str, Any]) -> Response:
    """List available modules by name, with their versions and what of them is installed."""
    return json_answer(reading.offered(query))


@repository.post("/install")
@requires(MANAGE, scope=Scope.OPERATOR, submits=True)
@repository.body(InstallPayload, example=EXAMPLE)
@repository.answers(202, AcceptedOperation, headers=HEADERS)
@repository.once()
@repository.waits(JobDocument)
@repository.raises(404, 409, 429)
def install(payload: Mapping[str, Any]) -> Response:
    """Install a module, with what it needs, as a running service.

    A step that fails undoes those before it; looking at the operation tells which.
    """
    return submitted(INSTALL, payload, InstallPayload)


@repository.get("/install/status/<uuid:operation_id>")
@requires(READ, counts=RateClass.POLLS)
@repository.answers(200, OperationFormSchema)
@repository.raises(404, 410)
def install_status(operation_id: UUID) -> Response:
    """Look at an installation: which step failed, and what was undone."""
    page = status_url(operation_id, page="repository/install")
    return json_answer(operation(operation_id, page))


@repository.delete("/uninstall/<module_id>")
@requires(MANAGE, scope=Scope.OPERATOR, submits=True)
@repository.query(DataQuery)
@repository.answers(202, AcceptedOperation, headers=HEADERS)
@repository.once()
@repository.waits(JobDocument)
@repository.raises(404, 409, 429)
def uninstall(query: Mapping[str, Any], module_id: str) -> Response:
    """Remove a module, by its name, with all of its instances."""
    return submitted("modules.uninstall", {**named(module_id), **query}, UninstallPayload)


@legacy.post("/<module_name>")
@requires(MANAGE, scope=Scope.OPERATOR, submits=True)
@legacy.body(InstallBody, example={"version": None})
@legacy.answers(202, AcceptedOperation, headers=HEADERS)
@legacy.once()
@legacy.waits(JobDocument)
@legacy.raises(404, 409, 429)
@legacy.deprecated()
def install_named(payload: Mapping[str, Any], module_name: str) -> Response:
    """Install a module; `POST /api/v1/repository/install` does the same."""
    return submitted(INSTALL, {**payload, **named(module_name)}, InstallPayload)
