"""Reads JSON bodies and query strings, strictly, and refuses what Postgres could not store."""

from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

import orjson
from flask import Request
from marshmallow import Schema, ValidationError, missing
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from stellwerk.errors import FieldError, InvalidInput, MalformedRequest
from stellwerk.jobs.submission import field_errors

MAX_BODY_BYTES = 1024 * 1024
READ_BYTES = MAX_BODY_BYTES + 1  # of a body that does not say its length; one too many shows
MAX_HEADER_BYTES = 32 * 1024
MAX_ADDRESS_BYTES = 16 * 1024  # path and query
MAX_DEPTH = 64  # of nested arrays and objects

_NUL = b"\\u0000"  # as JSON writes it; the character itself stands in no valid JSON


class RequestParser(FlaskParser):
    """webargs, with our reading of bodies and our errors."""

    def load_json(self, req: Request, schema: Schema) -> Any:  # noqa: ARG002  webargs's signature
        """The body as JSON; `missing` where there is none."""
        return json_body(req)

    def load_querystring(self, req: Request, schema: Schema) -> Any:
        """The parameters; raises InvalidInput for one that is given twice and means one thing."""
        found = super().load_querystring(req, schema)
        twice = [
            FieldError(name, "Given more than once.")
            for name, values in req.args.lists()
            if len(values) > 1 and name in schema.fields and name not in found.multiple_keys
        ]
        if twice:
            raise InvalidInput("The request is not valid.", errors=twice)
        return found

    def handle_error(
        self,
        error: ValidationError,
        req: Request,  # noqa: ARG002  webargs's signature
        schema: Schema,  # noqa: ARG002  webargs's signature
        *,
        error_status_code: int | None,  # noqa: ARG002  webargs's signature
        error_headers: Any,  # noqa: ARG002  webargs's signature
    ) -> NoReturn:
        """Raise InvalidInput, naming each field without where it stood."""
        found = [inner for messages in _by_location(error) for inner in field_errors(messages)]
        raise InvalidInput("The request is not valid.", errors=found) from error


def json_body(request: Request) -> Any:
    """The parsed body.

    Raises MalformedRequest, InvalidInput, RequestEntityTooLarge or UnsupportedMediaType.
    """
    data = request.get_data()
    if len(data) > MAX_BODY_BYTES:
        raise RequestEntityTooLarge
    if not data:
        return missing
    if not _is_json(request):
        raise UnsupportedMediaType("Send the body as application/json.")
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError as exc:
        raise MalformedRequest(f"The body is not valid JSON: {exc}.") from exc
    if not is_plain(data) and (_NUL in data or _is_deep(body)):
        _refuse_unstorable(body)
    return body


def is_plain(data: bytes) -> bool:
    """Whether a look at the text of a body is enough to know that Postgres can store it."""
    return _NUL not in data and data.count(b"[") + data.count(b"{") <= MAX_DEPTH


def _is_json(request: Request) -> bool:
    """JSON between systems is UTF-8 (RFC 8259, 8.1), whatever a charset might claim."""
    charset = request.mimetype_params.get("charset", "utf-8")
    return request.mimetype == "application/json" and charset.lower() == "utf-8"


def _is_deep(body: Any) -> bool:
    """Whether anything is nested too deep; where it stands, only a dear walk can tell."""
    level = [body]
    for _ in range(MAX_DEPTH + 1):
        level = [item for value in level for item in _items(value)]
        if not level:
            return False
    return True


def _items(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _refuse_unstorable(body: Any) -> None:
    for path, value, depth in _walk(body):
        if depth > MAX_DEPTH:
            raise _wrong(path, f"Nested deeper than {MAX_DEPTH} levels.")
        if isinstance(value, str) and "\x00" in value:
            raise _wrong(path, "Contains a NUL character.")


def _walk(body: Any) -> Iterator[tuple[str, Any, int]]:
    """Every value and every key, with its dotted path and its depth."""
    waiting: list[tuple[str, Any, int]] = [("", body, 0)]
    while waiting:
        path, value, depth = waiting.pop()
        yield path, value, depth
        if isinstance(value, dict):
            yield from ((path, name, depth) for name in value)
            inner = [(f"{path}.{name}".lstrip("."), item) for name, item in value.items()]
        elif isinstance(value, list):
            inner = [(f"{path}.{index}".lstrip("."), item) for index, item in enumerate(value)]
        else:
            continue
        waiting += [(place, item, depth + 1) for place, item in inner]


def _by_location(error: ValidationError) -> Iterator[Any]:
    messages = error.messages
    return iter(messages.values()) if isinstance(messages, dict) else iter([messages])


def _wrong(path: str, reason: str) -> InvalidInput:
    shown = path.replace("\x00", "\\u0000")[:200]
    return InvalidInput("The request is not valid.", errors=[FieldError(shown, reason)])
