"""Starting a session for a browser."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from flask import Response

from stellwerk.clock import utc_now
from stellwerk.identity import signing_in
from stellwerk.identity.permissions import Audience
from stellwerk_api.accounts.profiles import profile
from stellwerk_api.auth import credentials
from stellwerk_api.browser_sessions.cookies import cookies
from stellwerk_api.context import platform
from stellwerk_api.json_answers import as_json, json_answer


def started_in_browser(body: Mapping[str, Any]) -> Response:
    """A session as `POST /auth/login` starts it, with its token in a cookie and nowhere else."""
    runtime, tokens = platform().runtime, credentials().tokens
    started = signing_in.login(runtime, tokens, **body, audience=Audience.API)
    session_id = tokens.verify(started.access_token).session_id
    ttl_s = runtime.settings.browser_session_s()
    expires_at = utc_now() + timedelta(seconds=ttl_s)
    token = tokens.sign(started.user.id, session_id, expires_at)
    answer = json_answer({}, 201)
    proof = cookies().begin(answer, token, ttl_s)
    said = {"csrf_token": proof, "expires_in": ttl_s, "user": profile(started.user)}
    answer.set_data(as_json(said))
    return answer
