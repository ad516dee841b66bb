"""Channels: where a creator's videos belong."""

from typing import Any

from flask import Response

from stellwerk.connections.service import forget_channel
from stellwerk.jobs.runtime import unit
from stellwerk.studio import queries, service
from stellwerk.studio.schemas import ChannelFields, ChannelPatch, ChannelSchema
from stellwerk_api.auth import caller, requires
from stellwerk_api.blueprint import Blueprint
from stellwerk_api.context import platform
from stellwerk_api.pagination import PageQuery, int_cursor, own_page, page_schema

blueprint = Blueprint("channels", url_prefix="/api/v1/channels", description="Channels")
EXAMPLE = {"name": "Signals and switches", "niche": "railways"}


@blueprint.get("/")
@requires("channels:read")
@blueprint.query(PageQuery)
@blueprint.answers(200, page_schema(ChannelSchema))
@blueprint.raises(422)
def list_channels(query: dict[str, Any]) -> dict[str, Any]:
    """List your channels, newest first."""
    return own_page(query, int_cursor, queries.channels)


@blueprint.post("/")
@requires("channels:write")
@blueprint.body(ChannelFields, example=EXAMPLE)
@blueprint.answers(201, ChannelSchema)
def create_channel(fields: dict[str, Any]) -> dict[str, Any]:
    """Create a channel; your tier limits how many (403 `CHANNEL_LIMIT_REACHED`)."""
    here, user_id = platform(), caller().user_id
    with here.runtime.sessions.begin() as session:
        made = service.create_channel(session, here.settings, user_id, fields)
        return queries.channel(session, user_id, made.id)


@blueprint.get("/<int:channel_id>")
@requires("channels:read")
@blueprint.answers(200, ChannelSchema)
@blueprint.raises(404)
def get_channel(channel_id: int) -> dict[str, Any]:
    """Read one of your channels."""
    with platform().runtime.sessions() as session:
        return queries.channel(session, caller().user_id, channel_id)


@blueprint.patch("/<int:channel_id>")
@requires("channels:write")
@blueprint.body(ChannelPatch, example={"niche": "trains"})
@blueprint.answers(200, ChannelSchema)
@blueprint.raises(404)
def change_channel(fields: dict[str, Any], channel_id: int) -> dict[str, Any]:
    """Change what you send; the rest stays."""
    user_id = caller().user_id
    with platform().runtime.sessions.begin() as session:
        service.change(queries.own_channel(session, user_id, channel_id), fields)
        session.flush()
        return queries.channel(session, user_id, channel_id)


@blueprint.delete("/<int:channel_id>")
@requires("channels:write")
@blueprint.answers(204)
@blueprint.raises(404)
def delete_channel(channel_id: int) -> Response:
    """Delete a channel and disconnect its account; its videos keep their cost on record."""
    runtime, user_id = platform().runtime, caller().user_id
    with unit(runtime) as work:
        service.delete(work.session, queries.own_channel(work.session, user_id, channel_id))
        forget_channel(runtime, work, user_id, channel_id)
    return Response(status=204)


BLUEPRINTS = (blueprint,)
