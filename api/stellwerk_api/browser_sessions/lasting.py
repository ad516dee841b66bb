"""How long a browser stays signed in: for as long as it is used, as the session of a token is.

A token in a cookie ends by itself. The answer to a request by one of which half is over brings the
next one along; the proof that goes with the cookie is that of the session and stays. A request that
another site led to comes without the proof, and renews nothing.
"""

import time
from contextlib import suppress
from datetime import timedelta

from flask import Flask, Response, g, request
from sqlalchemy.exc import SQLAlchemyError

from stellwerk.clock import utc_now
from stellwerk.identity import sessions as ledger
from stellwerk.identity.caller import Caller
from stellwerk_api.auth import credentials
from stellwerk_api.browser_sessions.cookies import cookies
from stellwerk_api.context import platform

LOGOUT = "accounts.logout"
NO_CONTENT, UNKNOWN = 204, 401


def let_sessions_last(app: Flask) -> None:
    """Renew the cookies of a session that is used, and have those forgotten that has ended."""

    def settle(response: Response) -> Response:
        if not g.get("by_cookie"):
            return response
        is_known = "caller" in g
        is_out = request.endpoint == LOGOUT and response.status_code == NO_CONTENT
        if is_out or (response.status_code == UNKNOWN and not is_known):
            cookies().end(response)
        elif is_known and cookies().proof_name in request.cookies:
            with suppress(SQLAlchemyError):  # the answer counts for more; the next may bring it
                _renew(response, g.caller)
        return response

    app.after_request(settle)


def _renew(response: Response, known: Caller) -> None:
    settings = platform().settings
    ttl_s = settings.browser_session_s()
    if known.session_id is None or (known.token_ends_at or 0) - time.time() > ttl_s / 2:
        return
    now = utc_now()
    until = now + timedelta(seconds=settings.refresh_token_ttl_s)
    with platform().runtime.sessions.begin() as session:
        if not ledger.prolong(session, known.session_id, until):
            return
    ends_at = now + timedelta(seconds=ttl_s)
    token = credentials().tokens.sign(known.user_id, known.session_id, ends_at)
    proof = request.cookies.get(cookies().proof_name, "")
    cookies().renew(response, token, proof, ttl_s)
