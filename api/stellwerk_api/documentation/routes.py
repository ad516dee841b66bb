"""`/api/openapi.json`, `/api/docs` and `/api/redoc`; nothing is loaded from elsewhere."""

from collections.abc import Callable

from flask import Blueprint, Response, current_app

from stellwerk.errors import NotFound
from stellwerk_api.caching import validated
from stellwerk_api.documentation.assets import asset as find_asset
from stellwerk_api.documentation.assets import redoc_page, swagger_page
from stellwerk_api.json_answers import ApiResponse, json_answer

EXTENSION = "stellwerk.openapi"
DAY_S = 24 * 3600
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; worker-src blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

documentation = Blueprint("documentation", __name__, url_prefix="/api")


@documentation.get("/openapi.json")
def openapi() -> Response:
    """Answer with the OpenAPI document, made for the first who asks."""
    document: Callable[[], bytes] = current_app.extensions[EXTENSION]
    return validated(json_answer(document(), headers={"Cache-Control": "no-cache"}))


@documentation.get("/docs")
def swagger() -> Response:
    """Show the API in Swagger UI."""
    return _page(swagger_page())


@documentation.get("/redoc")
def redoc() -> Response:
    """Show the API in ReDoc."""
    return _page(redoc_page())


@documentation.get("/docs/assets/<name>")
def asset(name: str) -> Response:
    """Serve a script or style of the pages."""
    found = find_asset(name)
    if found is None:
        raise NotFound(f"There is no asset {name[:80]!r}.")
    headers = {"Cache-Control": f"public, max-age={DAY_S}"}
    return ApiResponse(found.content, headers=headers, content_type=found.content_type)


def _page(html: str) -> Response:
    headers = {"Content-Security-Policy": PAGE_POLICY, "Cache-Control": "no-cache"}
    return ApiResponse(html, headers=headers, content_type="text/html; charset=utf-8")
