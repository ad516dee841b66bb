"""Answers that their client may keep for a while, and nobody in between."""

from collections.abc import Callable
from typing import TypeVar

from flask import Flask, Response, request

MAX_AGE_S = 300

View = TypeVar("View", bound=Callable[..., object])


def cacheable(view: View) -> View:
    """Declare that a route's answer changes so rarely that it may be kept for five minutes."""
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
        return response

    app.after_request(say)
