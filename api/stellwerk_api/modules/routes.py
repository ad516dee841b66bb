"""`/api/v1/modules`."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import Response
from werkzeug.exceptions import NotAcceptable

from stellwerk.configuration.rates import RateClass
from stellwerk.jobs.operation import Scope
from stellwerk.jobs.queries import API
from stellwerk.modules.schemas import (
    InstallInstancePayload,
    InstancePayload,
    RemoveInstancePayload,
    UpdatePayload,
)
from stellwerk_api.accepted import HEADERS
from stellwerk_api.auth import requires
from stellwerk_api.blueprint import Blueprint
from stellwerk_api.jobs.documents import JobDocument
from stellwerk_api.jobs.routes import STREAM_ALONE
from stellwerk_api.json_answers import json_answer
from stellwerk_api.modules import acting, reading
from stellwerk_api.modules.acting import named, submitted
from stellwerk_api.modules.addresses import status_url
from stellwerk_api.modules.schemas import (
    AcceptedOperation,
    ConfiguredSchema,
    DataQuery,
    EnvironmentBody,
    EnvironmentSchema,
    InstanceDetails,
    InstancePage,
    InstanceQuery,
    LogLines,
    LogsQuery,
    ModulePage,
    OperationFormSchema,
    OrphanList,
)
from stellwerk_api.pagination import PageQuery

modules = Blueprint("modules", url_prefix=f"{API}/modules", description="Installed modules.")
BLUEPRINTS = (modules,)

READ, MANAGE = "modules:read", "modules:manage"
ONE = "/instance/<module_name>/<instance_id>"
CONFIGURED = {"environment": {"GREETING": "hello"}, "secrets": {"TOKEN": None}}


@modules.get("")
@requires(READ, scope=Scope.SHARED)
@modules.query(PageQuery)
@modules.answers(200, ModulePage)
def browse(query: Mapping[str, Any]) -> Response:
    """List installed modules."""
    return json_answer(reading.modules(query))


@modules.post("/update")
@requires(MANAGE, scope=Scope.OPERATOR, submits=True)
@modules.body(UpdatePayload, example={"module_name": "clock"})
@modules.answers(202, AcceptedOperation, headers=HEADERS)
@modules.once()
@modules.waits(JobDocument)
@modules.raises(404, 409, 429)
def update(payload: Mapping[str, Any]) -> Response:
    """Update all instances to the newest, or the given, version.

    New ones start beside the old ones and take over once all of them are healthy; else they go.
    """
    return submitted("modules.update", payload, UpdatePayload)


@modules.post("/install-instance")
@requires(MANAGE, scope=Scope.OPERATOR, submits=True)
@modules.body(InstallInstancePayload, example={"module_name": "clock"})
@modules.answers(202, AcceptedOperation, headers=HEADERS)
@modules.once()
@modules.waits(JobDocument)
@modules.raises(404, 409, 429)
def install_instance(payload: Mapping[str, Any]) -> Response:
    """Run one more instance of an installed module."""
    return submitted("modules.install_instance", payload, InstallInstancePayload)


@modules.get("/status/<uuid:operation_id>")
@requires(READ, counts=RateClass.POLLS)
@modules.answers(200, OperationFormSchema)
@modules.raises(404, 410)
def operation(operation_id: UUID) -> Response:
    """Look at an operation: which step failed, and what was undone."""
    return json_answer(reading.operation(operation_id, status_url(operation_id)))


@modules.get("/instances")
@requires(READ, scope=Scope.SHARED)
@modules.query(InstanceQuery)
@modules.answers(200, InstancePage)
def instances(query: Mapping[str, Any]) -> Response:
    """List instances, the oldest first, as they were at most a few seconds ago."""
    return json_answer(reading.instances(query))


@modules.get("/events")
@requires(READ, scope=Scope.SHARED, counts=RateClass.POLLS)
@modules.answers(200, {"type": "string"}, content_type="text/event-stream")
@modules.raises(406, 429)
def events() -> Response:
    """Follow all instances as server-sent events.

    Send `Accept: text/event-stream`. Each connection begins with the list of them.
    """
    raise NotAcceptable(STREAM_ALONE)


@modules.get("/orphans")
@requires(MANAGE, scope=Scope.OPERATOR)
@modules.answers(200, OrphanList)
def orphans() -> Response:
    """List what belongs to no instance: services, folders, releases, staging, places."""
    return json_answer(reading.unclaimed())


@modules.get(ONE)
@requires(READ, scope=Scope.SHARED)
@modules.answers(200, InstanceDetails)
@modules.raises(404)
def show(module_name: str, instance_id: str) -> Response:
    """Look at an instance."""
    return json_answer(reading.instance(named(module_name, instance_id)))


@modules.delete(ONE)
@requires(MANAGE, scope=Scope.OPERATOR, submits=True)
@modules.query(DataQuery)
@modules.answers(202, AcceptedOperation, headers=HEADERS)
@modules.once()
@modules.waits(JobDocument)
@modules.raises(404, 409, 429)
def remove(query: Mapping[str, Any], module_name: str, instance_id: str) -> Response:
    """Remove an instance that is not the primary one."""
    payload = {**named(module_name, instance_id), **query}
    return submitted("modules.remove_instance", payload, RemoveInstancePayload)


@modules.post(f"{ONE}/start")
@requires(MANAGE, scope=Scope.OPERATOR, submits=True)
@modules.answers(202, AcceptedOperation, headers=HEADERS)
@modules.once()
@modules.waits(JobDocument)
@modules.raises(404, 409, 429)
def start(module_name: str, instance_id: str) -> Response:
    """Start an instance, with its present variables."""
    return submitted("modules.start", named(module_name, instance_id), InstancePayload)


@modules.post(f"{ONE}/stop")
@requires(MANAGE, scope=Scope.OPERATOR, submits=True)
@modules.answers(202, AcceptedOperation, headers=HEADERS)
@modules.once()
@modules.waits(JobDocument)
@modules.raises(404, 409, 429)
def stop(module_name: str, instance_id: str) -> Response:
    """Stop an instance; it stays stopped until it is started."""
    return submitted("modules.stop", named(module_name, instance_id), InstancePayload)


@modules.post(f"{ONE}/restart")
@requires(MANAGE, scope=Scope.OPERATOR, submits=True)
@modules.answers(202, AcceptedOperation, headers=HEADERS)
@modules.once()
@modules.waits(JobDocument)
@modules.raises(404, 409, 429)
def restart(module_name: str, instance_id: str) -> Response:
    """Restart an instance, with its present variables."""
    return submitted("modules.restart", named(module_name, instance_id), InstancePayload)


@modules.get(f"{ONE}/environment")
@requires(MANAGE, scope=Scope.OPERATOR)
@modules.answers(200, EnvironmentSchema)
@modules.raises(404)
def environment(module_name: str, instance_id: str) -> Response:
    """Read an instance's variables, and the names of its secrets."""
    return json_answer(reading.environment(named(module_name, instance_id)))


@modules.patch(f"{ONE}/environment")
@requires(MANAGE, scope=Scope.OPERATOR)
@modules.body(EnvironmentBody, example=CONFIGURED)
@modules.answers(200, ConfiguredSchema)
@modules.raises(404)
def configure(changes: Mapping[str, Any], module_name: str, instance_id: str) -> Response:
    """Set variables and secrets of an instance, or with null remove them; the rest stays."""
    return json_answer(acting.configured(named(module_name, instance_id), changes))


@modules.get(f"{ONE}/logs")
@requires(MANAGE, scope=Scope.OPERATOR)
@modules.query(LogsQuery)
@modules.answers(200, LogLines)
@modules.raises(404)
def logs(query: Mapping[str, Any], module_name: str, instance_id: str) -> Response:
    """Read the end of what an instance wrote, or what follows a cursor."""
    return json_answer(reading.logs(named(module_name, instance_id), query))


@modules.get("/primary/<module_name>")
@requires(READ, scope=Scope.SHARED)
@modules.answers(200, InstanceDetails)
@modules.raises(404)
def primary(module_name: str) -> Response:
    """Look at the instance that a module is reached by."""
    return json_answer(reading.primary(named(module_name)))


@modules.post("/primary/<module_name>/<instance_id>")
@requires(MANAGE, scope=Scope.OPERATOR)
@modules.answers(200, InstanceDetails)
@modules.raises(404, 409)
def make_primary(module_name: str, instance_id: str) -> Response:
    """Let a module be reached by this instance, which has to run."""
    names = named(module_name, instance_id)
    acting.led_to(names)
    return json_answer(reading.instance(names))
