"""`/api/v1/admin/config`."""

from collections.abc import Mapping
from typing import Any

from flask import Response

from stellwerk.jobs.operation import Scope
from stellwerk.jobs.queries import API
from stellwerk_api.auth import requires
from stellwerk_api.blueprint import Blueprint
from stellwerk_api.configuration import changes
from stellwerk_api.configuration.schemas import (
    ChangeBody,
    ChangesBody,
    ConfigurationSchema,
    EntryWithHistory,
    ResetBody,
)
from stellwerk_api.documentation.parameters import IF_MATCH

configuration = Blueprint(
    "configuration",
    url_prefix=f"{API}/admin/config",
    description="What operators change while the platform runs.",
)
BLUEPRINTS = (configuration,)

NOON = {"maintenance.message": "Back at noon.", "maintenance.retry_after_s": 600}


@configuration.get("")
@requires("config:read", scope=Scope.OPERATOR)
@configuration.answers(200, ConfigurationSchema, headers=("ETag",))
def browse() -> Response:
    """List everything that can be configured, with its value, default and bounds."""
    return changes.everything()


@configuration.patch("")
@requires("config:write", scope=Scope.OPERATOR)
@configuration.body(ChangesBody, example={"values": NOON})
@configuration.answers(200, ConfigurationSchema, headers=("ETag",))
@configuration.reads(IF_MATCH)
@configuration.raises(409)
def change(body: Mapping[str, Any]) -> Response:
    """Set some entries, all of them or none; live in every process within five seconds."""
    changes.change(body["values"], body["version"])
    return changes.everything()


@configuration.post("")
@requires("config:write", scope=Scope.OPERATOR)
@configuration.body(ChangesBody, example={"values": NOON})
@configuration.answers(200, ConfigurationSchema, headers=("ETag",))
@configuration.reads(IF_MATCH)
@configuration.raises(409)
def apply(body: Mapping[str, Any]) -> Response:
    """The same as PATCH, for clients that only post."""
    changes.change(body["values"], body["version"])
    return changes.everything()


@configuration.get("/<name>")
@requires("config:read", scope=Scope.OPERATOR)
@configuration.answers(200, EntryWithHistory, headers=("ETag",))
@configuration.raises(404)
def show(name: str) -> Response:
    """Look at one entry, and at who changed it when."""
    return changes.one(name)


@configuration.put("/<name>")
@requires("config:write", scope=Scope.OPERATOR)
@configuration.body(ChangeBody, example={"value": "Back at noon."})
@configuration.answers(200, EntryWithHistory, headers=("ETag",))
@configuration.reads(IF_MATCH)
@configuration.raises(404, 409)
def replace(body: Mapping[str, Any], name: str) -> Response:
    """Set one entry."""
    changes.replace(name, body)
    return changes.one(name)


@configuration.post("/<name>/reset")
@requires("config:write", scope=Scope.OPERATOR)
@configuration.body(ResetBody, example={})
@configuration.answers(200, EntryWithHistory, headers=("ETag",))
@configuration.reads(IF_MATCH)
@configuration.raises(404, 409)
def reset(body: Mapping[str, Any], name: str) -> Response:
    """Let one entry go back to its default."""
    changes.reset(name, body["version"])
    return changes.one(name)
