"""Having something done about a module, in a caller's name."""

from collections.abc import Mapping
from typing import Any

from flask import Response
from marshmallow import Schema

from stellwerk.errors import FieldError, InvalidInput
from stellwerk.fields import Pattern
from stellwerk.modules.configuring import Changes, configure, make_primary
from stellwerk.modules.names import INSTANCE_ID, require_name
from stellwerk_api.accepted import accepted, submit_for_caller
from stellwerk_api.auth import caller
from stellwerk_api.context import platform
from stellwerk_api.modules.addresses import status_url

INSTALL = "modules.install"
_INSTANCE_ID = Pattern(INSTANCE_ID).regex


def submitted(operation: str, payload: Mapping[str, Any], schema: type[Schema]) -> Response:
    """Submit a job for what a schema loaded, and answer where it is looked at."""
    job_id = submit_for_caller(operation, schema().dump(payload))
    page = "repository/install" if operation == INSTALL else "modules"
    return accepted(
        job_id,
        operation,
        operation_id=str(job_id),
        module_name=payload.get("module_name"),
        status_url=status_url(job_id, page=page),
    )


def named(module_name: str, instance_id: str | None = None) -> dict[str, str]:
    """What stands in an address, checked; raises InvalidInput."""
    require_name(module_name)
    if instance_id is None:
        return {"module_name": module_name}
    if not _INSTANCE_ID.fullmatch(instance_id):
        reason = "Must be 32 hexadecimal digits, in small letters."
        errors = [FieldError("instance_id", reason)]
        raise InvalidInput("The request is not valid.", errors=errors)
    return {"module_name": module_name, "instance_id": instance_id}


def configured(names: Mapping[str, str], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The variables of an instance, changed."""
    wanted = Changes(**changes)
    return configure(platform().runtime, caller().user_id, **names, changes=wanted)


def led_to(names: Mapping[str, str]) -> None:
    """Make an instance the primary one."""
    make_primary(platform().runtime, caller().user_id, **names)
