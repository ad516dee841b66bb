"""What begins and ends in a browser: cookies, pages, and who is signed in there."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from flask import Response, g, request

from stellwerk.connections import flow, identities, service
from stellwerk.connections.flow import LIFETIME_S, Answer, Begun, Wish
from stellwerk.connections.model import ConnectionStatus, OauthConnection
from stellwerk.connections.queries import Place
from stellwerk.connections.schemas import ConnectionSchema
from stellwerk.connections.servers import server, start_url
from stellwerk.errors import NotAuthenticated, StellwerkError
from stellwerk.identity import proving
from stellwerk.identity.caller import Caller
from stellwerk.jobs.submission import cached
from stellwerk.providers.oauth.protocol import access_of
from stellwerk_api.auth import caller, count_proof, credentials
from stellwerk_api.browser_sessions.cookies import cookies
from stellwerk_api.connections import pages
from stellwerk_api.context import platform
from stellwerk_api.json_answers import ApiResponse, json_answer
from stellwerk_api.maintenance import refuse_changes

MANAGE = "connections:manage"


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
    _require_proof(caller(), place, body.get("password"))
    wish = Wish(place, caller().session_id, tuple(body.get("access", ())), body["return_url"])
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


def started(provider: str, query: Mapping[str, Any]) -> Response:
    """The page that leads a browser to the provider which shows a ticket, or who is signed in."""
    runtime = platform().runtime
    try:
        name = server(runtime, provider).name
        made = _begun_by_ticket(provider, query) if "ticket" in query else _begun(provider, query)
    except StellwerkError as exc:
        return _told(exc)
    return _with_cookie(pages.before(name, made.username, made.authorization_url), made)


def _begun_by_ticket(provider: str, query: Mapping[str, Any]) -> Begun:
    known = _signed_in()
    user_id = known.user_id if known else None
    return flow.begin_elsewhere(platform().runtime, provider, query["ticket"], user_id)


def _begun(provider: str, query: Mapping[str, Any]) -> Begun:
    """As by `POST /connections/{provider}`, with all that it asks of its caller."""
    known = _signed_in()
    if known is None:
        message = "Sign in first, in this browser, or open a `start_url`."
        raise NotAuthenticated(message)
    known.require(MANAGE)
    refuse_changes(platform().configuration, known)
    place = Place(known.user_id, provider)
    _require_proof(known, place)
    wish = Wish(place, known.session_id, tuple(query["access"]), query["return_url"])
    return flow.begin(platform().runtime, wish)


def _require_proof(known: Caller, place: Place, password: str | None = None) -> None:
    """A session alone, which may be stolen, is not enough to give an account another way in."""
    runtime = platform().runtime
    if password is not None:
        count_proof()
        proving.require_password(runtime, known.user_id, password)
    elif identities.signs_in(place):
        proving.require_fresh(runtime, known.session_id)


def answered(provider: str, query: Mapping[str, str]) -> Response:
    """The provider's answer, carried out."""
    try:
        return _carried_out(provider, query)
    except StellwerkError as exc:
        return _told(exc)


def _carried_out(provider: str, query: Mapping[str, str]) -> Response:
    runtime, known = platform().runtime, _signed_in()
    name = server(runtime, provider).name
    answer = Answer(
        provider,
        state=query["state"],
        code=query["code"],
        error=query["error"],
        issuer=query["iss"],
        cookie=lambda name: request.cookies.get(name, ""),
        user_id=known.user_id if known else None,
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


def _signed_in() -> Caller | None:
    """Who is signed in, by a cookie that stands or by a header; raises NotAuthenticated."""
    cookies().take(request)
    if not ("Authorization" in request.headers or "X-API-Key" in request.headers):
        return None
    try:
        return credentials().caller(request)
    except NotAuthenticated:
        if g.get("by_cookie"):  # its session has ended: nobody is signed in
            return None
        raise


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
