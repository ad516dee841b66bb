"""`/api/v1/api-keys`."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import Response

from stellwerk.clock import rfc3339
from stellwerk.identity import service
from stellwerk.identity.model import ApiKey
from stellwerk.jobs.queries import API
from stellwerk_api.api_keys.schemas import KeyBody, KeyPage, NewKeySchema
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
    key, text = service.create_key(platform().runtime.sessions, caller().user_id, **body)
    return json_answer({**_shown(key), "key": text}, 201)


@keys.get("")
@requires("api_keys:manage")
@keys.answers(200, KeyPage)
def browse() -> Response:
    """List one's keys, newest first."""
    with platform().runtime.sessions() as session:
        found = service.list_keys(session, caller().user_id)
    return json_answer({"items": [_shown(key) for key in found], "next_cursor": None})


@keys.delete("/<uuid:key_id>")
@requires("api_keys:manage")
@keys.answers(204)
@keys.raises(404)
def revoke(key_id: UUID) -> Response:
    """Revoke a key; it is worth nothing from now on."""
    credentials().end_key(caller().user_id, key_id)
    return ApiResponse(status=204)


def _shown(key: ApiKey) -> dict[str, Any]:
    return {
        "id": str(key.id),
        "name": key.name,
        "prefix": key.prefix,
        "scopes": key.scopes,
        "created_at": rfc3339(key.created_at),
        "expires_at": rfc3339(key.expires_at),
        "last_used_at": rfc3339(key.last_used_at),
    }
