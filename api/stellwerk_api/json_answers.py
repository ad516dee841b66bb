"""JSON by orjson, for Flask's own use and for answers that are bytes already."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson
from flask import Response
from flask.json.provider import JSONProvider

MIMETYPE = "application/json"


class ApiResponse(Response):
    """Nothing here is HTML unless it says so."""

    default_mimetype = MIMETYPE


class OrjsonProvider(JSONProvider):
    """Flask's JSON, by orjson."""

    def dumps(self, obj: Any, **_: Any) -> str:
        """JSON as text."""
        return as_json(obj).decode()

    def loads(self, s: str | bytes, **_: Any) -> Any:
        """Parse; raises orjson.JSONDecodeError, a ValueError."""
        return orjson.loads(s)

    def response(self, *args: Any, **kwargs: Any) -> Response:
        """A JSON answer, without going through text."""
        return ApiResponse(as_json(self._prepare_response_obj(args, kwargs)), mimetype=MIMETYPE)


def as_json(value: Any) -> bytes:
    """JSON; money (Decimal) becomes a number with at most 6 decimals."""
    return orjson.dumps(value, default=_other, option=orjson.OPT_NON_STR_KEYS)


def json_answer(
    value: Any, status: int = 200, *, headers: Mapping[str, str] | None = None
) -> Response:
    """An answer of plain JSON values, or of bytes that are JSON already."""
    body = value if isinstance(value, bytes) else as_json(value)
    return ApiResponse(body, status, dict(headers or {}), mimetype=MIMETYPE)


def _other(value: Any) -> float:
    if isinstance(value, Decimal):
        return round(float(value), 6)
    raise TypeError(type(value).__name__)
