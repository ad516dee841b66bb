"""Swagger UI and ReDoc as files of the `offapi` package, and the pages around them."""

from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

CSS = "text/css; charset=utf-8"
JAVASCRIPT = "text/javascript; charset=utf-8"

_FROM_OFFAPI = {
    "swagger.css": ("swagger_style.css", CSS),
    "swagger.js": ("swagger_bundle.js", JAVASCRIPT),
    "redoc.js": ("redoc.js", JAVASCRIPT),
}
_START_SWAGGER = """
SwaggerUIBundle({
  url: "/api/openapi.json",
  dom_id: "#page",
  deepLinking: true,
  persistAuthorization: true,
  tryItOutEnabled: true,
  validatorUrl: null,
});
"""
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Stellwerk API</title>
<link rel="icon" href="data:,">
{head}
</head>
<body>
{body}
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class Asset:
    """A file and its type."""

    content: bytes
    content_type: str


@cache
def asset(name: str) -> Asset | None:
    """A file by the name the pages use; None where there is no such file.

    `offapi` is not imported: that would format every one of its pages.
    """
    if name == "start.js":
        return Asset(_START_SWAGGER.encode(), JAVASCRIPT)
    if name not in _FROM_OFFAPI:
        return None
    file, content_type = _FROM_OFFAPI[name]
    spec = find_spec("offapi")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("The offapi package is not installed.")
    return Asset((Path(spec.origin).parent / file).read_bytes(), content_type)


def swagger_page() -> str:
    """The page at /api/docs."""
    head = f'<link rel="stylesheet" href="{_url("swagger.css")}">'
    scripts = (
        f'<script src="{_url("swagger.js")}"></script><script src="{_url("start.js")}"></script>'
    )
    return _PAGE.format(head=head, body=f'<div id="page"></div>{scripts}')


def redoc_page() -> str:
    """The page at /api/redoc."""
    element = '<redoc spec-url="/api/openapi.json"></redoc>'
    script = f'<script type="module" src="{_url("redoc.js")}"></script>'
    return _PAGE.format(head="", body=element + script)


def _url(name: str) -> str:
    """With the package's version, so that browsers may keep it."""
    return f"/api/docs/assets/{name}?v={version('offapi')}"
