"""The configuration as it is answered, and changing it in a caller's name."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from flask import Response, request
from sqlalchemy.orm import Session

from stellwerk.clock import rfc3339
from stellwerk.configuration import service
from stellwerk.configuration.entries import ENTRIES
from stellwerk.configuration.model import ConfigurationChange
from stellwerk.errors import MalformedRequest
from stellwerk_api.auth import caller
from stellwerk_api.context import platform
from stellwerk_api.json_answers import json_answer

_TAG = re.compile(r'"?(\d{1,10})"?')


def everything() -> Response:
    """All entries as they are."""
    with platform().runtime.sessions() as session:
        version = service.revision(session)  # first: a later one would vouch for older values
        changes = service.changes(session)
    items = [_entry(name, changes.get(name)) for name in ENTRIES]
    return json_answer({"version": version, "items": items}, headers=_tag(version))


def one(name: str) -> Response:
    """An entry as it is and as it was; raises NotFound."""
    service.entry_of(name)
    with platform().runtime.sessions() as session:
        history = service.history(session, name)
    newest = history[0] if history else None
    told = {"history": [_change(change) for change in history]}
    body = _entry(name, newest) | told
    return json_answer(body, headers=_tag(body["version"]))


def change(values: Mapping[str, Any], version: int | None) -> None:
    """Set entries; raises InvalidInput, MalformedRequest and Conflict."""
    seen = _seen(version)
    _write(lambda session, by: service.change(session, values, seen=seen, by=by))


def replace(name: str, body: Mapping[str, Any]) -> None:
    """Set one entry to `value`; raises NotFound, too."""
    change({service.entry_of(name).name: body["value"]}, body["version"])


def reset(name: str, version: int | None) -> None:
    """Let an entry go back to its default; raises NotFound, too."""
    seen = _seen(version)
    _write(lambda session, by: service.reset(session, name, seen=seen, by=by))


def _write(write: Callable[[Session, int], int]) -> None:
    here, user_id = platform(), caller().user_id
    with here.runtime.sessions.begin() as session:
        write(session, user_id)
    here.configuration.refresh()


def _seen(version: int | None) -> int | None:
    """The version in the body, or in `If-Match` (RFC 9110, 13.1.1): `*` is any."""
    given = request.headers.get("If-Match", "*").strip()
    if version is not None or given == "*":
        return version
    found = _TAG.fullmatch(given)
    if found is None:
        raise MalformedRequest("If-Match takes one ETag of the configuration, or `*`.")
    return int(found[1])


def _entry(name: str, change: ConfigurationChange | None) -> dict[str, Any]:
    entry, default = ENTRIES[name], platform().configuration.default(name)
    return {
        "name": name,
        "value": default if change is None or change.value is None else change.value,
        "default": default,
        "unit": entry.unit,
        "description": entry.description,
        "value_schema": entry.schema,
        "version": change.revision if change else 0,
        "changed_at": rfc3339(change.changed_at) if change else None,
        "changed_by": change.changed_by if change else None,
    }


def _change(change: ConfigurationChange) -> dict[str, Any]:
    return {
        "version": change.revision,
        "value": change.value,
        "changed_at": rfc3339(change.changed_at),
        "changed_by": change.changed_by,
    }


def _tag(version: int) -> dict[str, str]:
    return {"ETag": f'"{version}"'}
