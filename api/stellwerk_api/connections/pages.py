"""The two pages that a browser sees on its way to a provider and back.

They hold our own sentences; what else stands in them is escaped, and nothing of it is what a
request brought.
"""

from collections.abc import Mapping
from html import escape

from flask import Response, request

from stellwerk.errors import StellwerkError
from stellwerk_api.errors import status_of
from stellwerk_api.json_answers import ApiResponse
from stellwerk_api.metrics import count_error

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title></head>
<body><h1>{title}</h1>{body}</body>
</html>
"""


def wants_page() -> bool:
    """Whether it is a browser that asks, rather than a program."""
    return request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html"


def before(provider: str, username: str, url: str) -> Response:
    """Names the account here, so that nobody connects theirs with somebody else's."""
    title = f"Connect {provider}"
    body = (
        f"<p>A {escape(provider)} account is about to be connected with the account "
        f"<strong>{escape(username)}</strong> here. Whoever has that account can then use it. "
        "If that is not you, close this page.</p>"
        f'<p><a rel="noreferrer" href="{escape(url)}">Continue to {escape(provider)}</a></p>'
    )
    return _page(title, body)


def after(provider: str) -> Response:
    """It worked."""
    return _page(f"{provider} is connected", "<p>You can close this page.</p>")


def failed(error: StellwerkError) -> Response:
    """It did not, and why."""
    count_error(error.code.value)
    body = f"<p>{escape(error.message)}</p><p><code>{error.code.value}</code></p>"
    headers = {"Retry-After": str(round(error.retry_after_s))} if error.retry_after_s else {}
    return _page("The account was not connected", body, status_of(error), headers)


def _page(
    title: str, body: str, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    text = _PAGE.format(title=escape(title), body=body)
    return ApiResponse(text, status, dict(headers or {}), content_type="text/html; charset=utf-8")
