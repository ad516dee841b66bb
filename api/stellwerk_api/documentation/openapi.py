"""The OpenAPI document: what stands above the routes."""

from typing import Any

from flask import Flask
from flask_smorest import Api

from stellwerk_api.errors import ErrorEnvelope

DESCRIPTION = """\
Every long-running operation is a job: submitting one answers 202 once it is durable, polling
`status_url` or following its events shows how it goes.

Sign in with `POST /api/v1/auth/login` and send `Authorization: Bearer`, or send an API key there
or as `X-API-Key`. Members and parameters that a route does not know are refused by name.
Every error has one envelope; `Accept: application/problem+json` gives RFC 9457.
"""

CONFIG = {
    "API_TITLE": "Stellwerk",
    "API_VERSION": "v1",
    "OPENAPI_VERSION": "3.1.0",
    "API_SPEC_OPTIONS": {
        "info": {"description": DESCRIPTION, "license": {"name": "Apache-2.0"}},
        "servers": [{"url": "/"}],
    },
}


class StellwerkApi(Api):  # type: ignore[misc]  # flask-smorest ships no types
    """flask-smorest, with our error envelope; the handlers are in errors.py."""

    ERROR_SCHEMA = ErrorEnvelope

    def _register_error_handlers(self) -> None:
        """None: errors.handle_errors registers ours."""


def api_of(app: Flask) -> Any:
    """The document's builder; blueprints register with it."""
    app.config.update(CONFIG)
    api = StellwerkApi(app)
    schemes = api.spec.components
    schemes.security_scheme(
        "bearer",
        {
            "type": "http",
            "scheme": "bearer",
            "description": "An access token, or an API key (`swk_...`).",
        },
    )
    schemes.security_scheme("api_key", {"type": "apiKey", "in": "header", "name": "X-API-Key"})
    described = "Changes need `X-CSRF-Token` too. Without TLS the name is `stellwerk`."
    cookie = {"type": "apiKey", "in": "cookie", "name": "__Host-stellwerk"}
    schemes.security_scheme("browser", {**cookie, "description": described})
    return api
