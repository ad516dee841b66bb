"""What begins and ends in a browser: cookies, pages, and who is signed in there."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from flask import Response, request

from stellwerk.connections import flow, service
from stellwerk.connections.flow import LIFETIME_S, Answer, Begun, Wish
from stellwerk.connections.model import ConnectionStatus, OauthConnection
from stellwerk.connections.queries import Place
from stellwerk.connections.schemas import ConnectionSchema
from stellwerk.connections.servers import server, start_url
from stellwerk.errors import StellwerkError
from stellwerk.jobs.submission import cached
from stellwerk.providers.oauth.protocol import access_of
from stellwerk_api.auth import caller, credentials
from stellwerk_api.connections import pages
from stellwerk_api.context import platform
from stellwerk_api.json_answers import ApiResponse, json_answer


def shown(row: OauthConnection) -> dict[str, Any]:
    """A connection as its user sees it."""
    asked = platform().runtime.providers.oauth.get(row.provider)
    names = [column.key for column in OauthConnection.__table__.columns if column.key != "sealed"]
    access = access_of(asked, row.scopes) if asked else []
    found = {name: getattr(row, name) for name in names}
    return found | {"access": access, "status": ConnectionStatus(row.status)}


def begun(provider: str, body: Mapping[str, Any], channel_id: int | None = None) -> Response:
    """A request for authorization, begun in this browser or for another one."""
    runtime = platform().runtime
    place = Place(caller().user_id, provider, channel_id)
    wish = Wish(place, tuple(body.get("access", ())), body["return_url"])
    made = flow.begin(runtime, wish)
    answer = json_answer(
        {
            "authorization_url": made.authorization_url,
            "start_url": start_url(runtime, provider, made.ticket),
            "expires_in": LIFETIME_S,
        },
        201,
    )
    return _with_cookie(answer, made)


def begun_elsewhere(provider: str, ticket: str) -> Response:
    """The page that leads a browser which shows a ticket to the provider."""
    runtime = platform().runtime
    try:
        made = flow.begin_elsewhere(runtime, provider, ticket)
    except StellwerkError as exc:
        return _told(exc)
    name = server(runtime, provider).name
    return _with_cookie(pages.before(name, made.username, made.authorization_url), made)


def answered(provider: str, query: Mapping[str, str]) -> Response:
    """The provider's answer, carried out."""
    try:
        return _carried_out(provider, query)
    except StellwerkError as exc:
        return _told(exc)


def _carried_out(provider: str, query: Mapping[str, str]) -> Response:
    runtime = platform().runtime
    name = server(runtime, provider).name
    answer = Answer(
        provider,
        state=query["state"],
        code=query["code"],
        error=query["error"],
        issuer=query["iss"],
        cookie=lambda name: request.cookies.get(name, ""),
        user_id=_signed_in_user(),
    )
    found = flow.taken(runtime, answer)
    row = service.connect(runtime, found, answer.code)
    if found.return_url:
        done = _sent_on(found.return_url, provider)
    elif pages.wants_page():
        done = pages.after(name)
    else:
        done = json_answer(cached(ConnectionSchema).dump(shown(row)))
    cookie = flow.cookie_name(found.state_hash)
    done.delete_cookie(cookie, path="/", secure=True, httponly=True, samesite="Lax")
    return done


def _told(error: StellwerkError) -> Response:
    if pages.wants_page():
        return pages.failed(error)
    raise error


def _sent_on(url: str, provider: str) -> Response:
    joint = "&" if "?" in url else "?"
    location = f"{url}{joint}{urlencode({'connected': provider})}"
    return ApiResponse(status=303, headers={"Location": location})


def _signed_in_user() -> int | None:
    """Who is signed in, where the request says so: browsers on their way back do not."""
    if "Authorization" in request.headers or "X-API-Key" in request.headers:
        return credentials().caller(request).user_id
    return None


def _with_cookie(answer: Response, made: Begun) -> Response:
    """RFC 6265bis, 4.1.3.2: `__Host-` cookies are secure, of the whole host, of no other one."""
    answer.set_cookie(
        made.cookie_name,
        made.nonce,
        max_age=LIFETIME_S,
        path="/",
        secure=True,
        httponly=True,
        samesite="Lax",
    )
    return answer
