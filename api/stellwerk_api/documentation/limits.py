"""The headers of limits in the OpenAPI document."""

from typing import Any

from stellwerk_api.limit_headers import POLICY, REMAINING

_HEADERS = {
    POLICY: {
        "description": "The limits that hold: `q` requests in `w` seconds.",
        "schema": {"type": "string", "examples": ['"default";q=100;w=60']},
    },
    REMAINING: {
        "description": "`r` requests are left, and one more after `t` seconds.",
        "schema": {"type": "string", "examples": ['"default";r=37;t=1']},
    },
}
_RETRY_AFTER = {
    "Retry-After": {
        "description": "Seconds until the request may pass.",
        "schema": {"type": "integer"},
    }
}
_LIMITED = "429"
# Refused before anything is counted, or where perhaps nothing can be
_UNCOUNTED = frozenset(
    {
        "UNAUTHORIZED",
        "REQUEST_ENTITY_TOO_LARGE",
        "INTERNAL_SERVER_ERROR",
        "SERVICE_UNAVAILABLE",
        "DEFAULT_ERROR",
    }
)


def add_limits(document: dict[str, Any]) -> None:
    """Name them beside the answers of every route that is counted, refusals included."""
    components = document["components"]
    components["headers"] = {**components.get("headers", {}), **_HEADERS}
    named = {name: {"$ref": f"#/components/headers/{name}"} for name in _HEADERS}
    for name, response in components["responses"].items():
        if name not in _UNCOUNTED:
            response["headers"] = {**response.get("headers", {}), **named}
    refusal = components["responses"].get("TOO_MANY_REQUESTS")
    if refusal:
        refusal["headers"] |= _RETRY_AFTER
    for path in document["paths"].values():
        for operation in path.values():
            if isinstance(operation, dict) and _LIMITED in operation.get("responses", {}):
                _add(operation["responses"], named)


def _add(responses: dict[str, Any], named: dict[str, Any]) -> None:
    for response in responses.values():
        if "$ref" not in response:
            response["headers"] = {**response.get("headers", {}), **named}
