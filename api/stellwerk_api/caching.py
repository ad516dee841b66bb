"""Answers that their client may keep for a while, and those it need not be sent again."""

import hashlib
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

from flask import Flask, Response, request

MAX_AGE_S = 300
REMEMBERED = 128

View = TypeVar("View", bound=Callable[..., object])


def cacheable(view: View) -> View:
    """Declare that a route's answer changes so rarely that it may be kept for five minutes.

    After that it is asked for anew by its entity tag: `If-None-Match` (RFC 9110, 13.1.2).
    """
    view.__dict__.setdefault("_apidoc", {})["cacheable"] = True
    return view


def allow_caching(app: Flask) -> None:
    """Say so with the answers of those routes."""
    kept = {
        name
        for name, view in app.view_functions.items()
        if getattr(view, "_apidoc", {}).get("cacheable")
    }

    def say(response: Response) -> Response:
        if request.endpoint in kept and response.status_code == 200:  # noqa: PLR2004  OK
            response.headers["Cache-Control"] = f"private, max-age={MAX_AGE_S}"
            response.vary.update(("Authorization", "Cookie", "X-API-Key"))
            return validated(response)
        return response

    app.after_request(say)


def validated(response: Response) -> Response:
    """The answer with its entity tag, or 304 where the client has it already."""
    tag = _tag_of(response.get_data())
    response.set_etag(tag)
    if request.if_none_match.contains_weak(tag):
        response.status_code = 304
        response.set_data(b"")
    return response


@lru_cache(REMEMBERED)
def _tag_of(content: bytes) -> str:
    """Of what is made once per process: the same bytes need no second look."""
    return hashlib.sha256(content).hexdigest()[:32]
