"""Refuses what a route does not read: a body or a query parameter that would only be overlooked.

What a route does read, its schemas check.
"""

from collections.abc import Callable, Iterable, Mapping

from flask import Flask, request
from marshmallow import missing

from stellwerk.errors import FieldError, InvalidInput
from stellwerk_api.auth import declarations
from stellwerk_api.bodies import json_body

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def refuse_unread(app: Flask) -> None:
    """Check every request after its sender was.

    Whoever only looks, and needs no credentials for it, may add parameters, as monitors do.
    """
    guarded = frozenset(declarations(app))
    taken = {name: frozenset(_read(view)) for name, view in app.view_functions.items()}

    def check() -> None:
        read = taken.get(request.endpoint or "")
        if read is None:
            return
        changes = request.method not in _SAFE
        if "query" not in read and (changes or request.endpoint in guarded):
            _refuse(request.args)
        if "json" not in read and changes:
            _refuse_body()

    app.before_request(check)


def _read(view: Callable[..., object]) -> Iterable[str]:
    """Where a view's arguments come from: `json`, `query`."""
    documented: Mapping[str, Mapping[str, Iterable[Mapping[str, str]]]]
    documented = getattr(view, "_apidoc", {})
    if "takes" in documented:
        yield from ("query", "json")
    for parameters in documented.get("arguments", {}).get("parameters", ()):
        yield parameters["in"]


def _refuse_body() -> None:
    """An empty object says as much as no body, and some clients always send one."""
    body = json_body(request)
    if body is missing:
        return
    if not isinstance(body, dict):
        raise InvalidInput("The request is not valid.", errors=[FieldError("", _NO_BODY)])
    _refuse(body)


def _refuse(names: Iterable[str]) -> None:
    errors = [FieldError(name, "Unknown field.") for name in names]
    if errors:
        raise InvalidInput("The request is not valid.", errors=errors)


_NO_BODY = "This route takes no body."
