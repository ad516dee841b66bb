"""`POST /api/v1/auth/session`: signing in from a browser."""

from collections.abc import Mapping
from typing import Any

from flask import Response, request

from stellwerk.jobs.queries import API
from stellwerk_api.accounts.routes import SOMEBODY
from stellwerk_api.auth import signs_in
from stellwerk_api.blueprint import Blueprint
from stellwerk_api.browser_sessions.cookies import cookies
from stellwerk_api.browser_sessions.schemas import BrowserLogin, BrowserSession
from stellwerk_api.browser_sessions.starting import started_in_browser

browser_sessions = Blueprint(
    "browser_sessions", url_prefix=API, description="Signing in from a browser."
)
BLUEPRINTS = (browser_sessions,)


@browser_sessions.post("/auth/session")
@signs_in
@browser_sessions.body(BrowserLogin, example=SOMEBODY)
@browser_sessions.answers(201, BrowserSession, headers=("Set-Cookie",))
@browser_sessions.raises(401, 403)
def begin(body: Mapping[str, Any]) -> Response:
    """Sign in with a cookie that scripts cannot read.

    Requests without `Authorization` are then the owner's. Those that change something also need
    the answer's `csrf_token` in `X-CSRF-Token`; `POST /auth/logout` ends the session.
    """
    cookies().require_own_page(request)
    return started_in_browser(body)
