"""`/api/v1/api-keys`."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import Response

from stellwerk.clock import rfc3339
from stellwerk.identity import api_keys
from stellwerk.identity.api_keys import NewKey
from stellwerk.identity.model import ApiKey
from stellwerk.jobs.queries import API
from stellwerk_api.api_keys.schemas import (
    KeyBody,
    KeyPage,
    KeySchema,
    NewKeySchema,
    RotatedKeySchema,
    RotationBody,
)
from stellwerk_api.auth import caller, credentials, requires
from stellwerk_api.blueprint import Blueprint
from stellwerk_api.context import platform
from stellwerk_api.json_answers import ApiResponse, json_answer

keys = Blueprint("api_keys", url_prefix=f"{API}/api-keys", description="Keys for programs.")
BLUEPRINTS = (keys,)


@keys.post("")
@requires("api_keys:manage")
@keys.body(KeyBody, example={"name": "nightly import", "scopes": ["read", "videos.*"]})
@keys.answers(201, NewKeySchema)
@keys.raises(409)
def create(body: Mapping[str, Any]) -> Response:
    """Make a key; its text is shown this once."""
    sessions, by = platform().runtime.sessions, caller()
    made = api_keys.create(sessions, by.user_id, session_id=by.session_id, **body)
    return json_answer(_with_text(made), 201)


@keys.get("")
@requires("api_keys:manage")
@keys.answers(200, KeyPage)
def browse() -> Response:
    """List one's keys, newest first; replaced ones as long as they work."""
    with platform().runtime.sessions() as session:
        found = api_keys.own_keys(session, caller().user_id)
    return json_answer({"items": [_shown(key) for key in found], "next_cursor": None})


@keys.get("/<uuid:key_id>")
@requires("api_keys:manage")
@keys.answers(200, KeySchema)
@keys.raises(404)
def show(key_id: UUID) -> Response:
    """Look at one key that was not revoked."""
    with platform().runtime.sessions() as session:
        return json_answer(_shown(api_keys.own_key(session, caller().user_id, key_id)))


@keys.post("/<uuid:key_id>/rotate")
@requires("api_keys:manage")
@keys.body(RotationBody, example={"overlap_h": 24})
@keys.answers(201, RotatedKeySchema)
@keys.raises(404, 409)
def rotate(body: Mapping[str, Any], key_id: UUID) -> Response:
    """Replace a key by a new one with its name and scopes; both work until the overlap is over."""
    sessions, by = platform().runtime.sessions, caller()
    rotated = api_keys.rotate(sessions, by.user_id, key_id, session_id=by.session_id, **body)
    credentials().live.end_keys([rotated.old.key_hash])
    return json_answer({**_with_text(rotated.new), "previous": _shown(rotated.old)}, 201)


@keys.delete("/<uuid:key_id>")
@requires("api_keys:manage")
@keys.answers(204)
@keys.raises(404)
def revoke(key_id: UUID) -> Response:
    """Revoke a key; it is worth nothing from now on."""
    credentials().end_key(caller().user_id, key_id)
    return ApiResponse(status=204)


def _with_text(made: NewKey) -> dict[str, Any]:
    return {**_shown(made.key), "key": made.text}


def _shown(key: ApiKey) -> dict[str, Any]:
    return {
        "id": str(key.id),
        "name": key.name,
        "prefix": key.prefix,
        "scopes": key.scopes,
        "created_at": rfc3339(key.created_at),
        "expires_at": rfc3339(key.expires_at),
        "last_used_at": rfc3339(key.last_used_at),
        "last_used_from": key.last_used_from,
        "replaced_at": rfc3339(key.replaced_at),
        "replaced_by": str(key.replaced_by) if key.replaced_by else None,
    }
