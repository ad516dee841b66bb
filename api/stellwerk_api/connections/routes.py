"""`/api/v1/connections`, `/api/v1/channels/{id}/connect`, and `/api/v1/auth/{provider}`."""

from typing import Any

from flask import Response
from marshmallow import EXCLUDE

from stellwerk.connections import queries, service, signing_in
from stellwerk.connections.queries import Place
from stellwerk.connections.schemas import (
    BegunSchema,
    CallbackQuery,
    ChannelWishBody,
    ConnectionSchema,
    NextcloudBody,
    WishBody,
)
from stellwerk.connections.signing_in import Shown
from stellwerk.jobs.queries import API
from stellwerk.jobs.runtime import unit
from stellwerk.studio.queries import own_channel
from stellwerk_api.accounts.profiles import tokens_of
from stellwerk_api.accounts.schemas import LoginAnswer
from stellwerk_api.auth import anybodys, caller, credentials, requires, signs_in
from stellwerk_api.blueprint import Blueprint
from stellwerk_api.connections import browsers
from stellwerk_api.connections.browsers import MANAGE
from stellwerk_api.connections.schemas import StartQuery
from stellwerk_api.context import platform
from stellwerk_api.pagination import PageQuery, own_page, page_schema, uuid_cursor

blueprint = Blueprint(
    "connections", url_prefix=API, description="Accounts of other services, connected by OAuth 2.0."
)
BLUEPRINTS = (blueprint,)

COOKIE = ("Set-Cookie",)
CHANNEL_ACCESS = "youtube"
PAGE = {"type": "string"}
FROM_NEXTCLOUD = {
    "code": "a code of Nextcloud's",
    "code_verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    "redirect_url": "https://phone.example.com/signed-in",
}
ConnectionPage = page_schema(ConnectionSchema)


@blueprint.get("/connections")
@requires("connections:read")
@blueprint.query(PageQuery)
@blueprint.answers(200, ConnectionPage)
@blueprint.raises(422)
def browse(query: dict[str, Any]) -> dict[str, Any]:
    """List your connected accounts, those of channels too, newest first."""
    found = own_page(query, uuid_cursor, queries.connections)
    return found | {"items": [browsers.shown(row) for row in found["items"]]}


@blueprint.post("/connections/<provider>")
@requires(MANAGE)
@blueprint.body(WishBody, example={"access": ["mail", "calendar"]})
@blueprint.answers(201, BegunSchema, headers=COOKIE)
@blueprint.raises(404)
def begin(body: dict[str, Any], provider: str) -> Response:
    """Begin to connect an account, or to connect it again or for more."""
    return browsers.begun(provider, body)


@blueprint.get("/connections/<provider>")
@requires("connections:read")
@blueprint.answers(200, ConnectionSchema)
@blueprint.raises(404)
def show(provider: str) -> dict[str, Any]:
    """Look at your account at a provider."""
    with platform().runtime.sessions() as session:
        return browsers.shown(queries.connection(session, Place(caller().user_id, provider)))


@blueprint.delete("/connections/<provider>")
@requires(MANAGE)
@blueprint.answers(204)
@blueprint.raises(404)
def forget(provider: str) -> Response:
    """Disconnect an account: its tokens are forgotten now, and the provider is told soon."""
    with unit(platform().runtime) as work:
        service.forget(platform().runtime, work, Place(caller().user_id, provider))
    return Response(status=204)


@blueprint.post("/channels/<int:channel_id>/connect")
@requires(MANAGE)
@blueprint.body(ChannelWishBody, example={})
@blueprint.answers(201, BegunSchema, headers=COOKIE)
@blueprint.raises(404)
def begin_channel(body: dict[str, Any], channel_id: int) -> Response:
    """Begin to connect the YouTube account that a channel's videos are published with."""
    with platform().runtime.sessions() as session:
        own_channel(session, caller().user_id, channel_id)
    return browsers.begun("google", body | {"access": [CHANNEL_ACCESS]}, channel_id)


@blueprint.delete("/channels/<int:channel_id>/connect")
@requires(MANAGE)
@blueprint.answers(204)
@blueprint.raises(404)
def forget_channel(channel_id: int) -> Response:
    """Disconnect a channel's account."""
    with unit(platform().runtime) as work:
        place = Place(caller().user_id, "google", channel_id)
        service.forget(platform().runtime, work, place)
    return Response(status=204)


@blueprint.post("/auth/nextcloud")
@signs_in
@blueprint.body(NextcloudBody, example=FROM_NEXTCLOUD)
@blueprint.answers(200, LoginAnswer)
@blueprint.raises(403, 404, 409)
def sign_in(body: dict[str, Any]) -> Response:
    """Sign in by a Nextcloud account: a code of its OAuth 2.0 for tokens that may place calls."""
    started = signing_in.sign_in(platform().runtime, credentials().tokens, Shown(**body))
    return tokens_of(started)


@blueprint.get("/auth/<provider>")
@anybodys
@blueprint.query(StartQuery)
@blueprint.answers(200, PAGE, content_type="text/html", headers=COOKIE)
@blueprint.raises(400, 401, 403, 404, 422)
def start(query: dict[str, Any], provider: str) -> Response:
    """Go on to the provider in a browser that is signed in, or shows a `start_url`'s ticket."""
    return browsers.started(provider, query)


@blueprint.get("/auth/<provider>/callback")
@anybodys
@blueprint.query(CallbackQuery, others=EXCLUDE)
@blueprint.answers(200, ConnectionSchema)
@blueprint.also(303, "Connected; the browser goes on to the `return_url`.", ["Location"])
@blueprint.raises(400, 401, 403, 404, 409, 422)
def callback(query: dict[str, str], provider: str) -> Response:
    """Take a provider's answer; a browser gets a page."""
    return browsers.answered(provider, query)
