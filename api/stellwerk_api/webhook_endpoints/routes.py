"""`/api/v1/webhook-endpoints`."""

from typing import Any
from uuid import UUID

from flask import Response
from marshmallow import fields as answers

from stellwerk.jobs.queries import API
from stellwerk.webhooks import queries
from stellwerk.webhooks.model import WebhookEndpoint
from stellwerk.webhooks.schemas import (
    DeliverySchema,
    EndpointFields,
    EndpointPatch,
    EndpointSchema,
    NewEndpointSchema,
    NewSecretSchema,
    SecretStateSchema,
)
from stellwerk_api.accepted import HEADERS, Accepted
from stellwerk_api.auth import caller, requires
from stellwerk_api.blueprint import Blueprint
from stellwerk_api.context import platform
from stellwerk_api.jobs.documents import JobDocument
from stellwerk_api.pagination import PageQuery, own_page, page_schema, uuid_cursor
from stellwerk_api.webhook_endpoints import changes

blueprint = Blueprint(
    "webhook_endpoints",
    url_prefix=f"{API}/webhook-endpoints",
    description="Who is told of jobs' ends, after Standard Webhooks 1.0.",
)
BLUEPRINTS = (blueprint,)
EXAMPLE = {
    "url": "https://hooks.example.com/stellwerk",
    "event_types": ["job.completed", "job.failed"],
    "operations": ["videos.*"],
}
EndpointPage = page_schema(EndpointSchema)
DeliveryPage = page_schema(DeliverySchema)


class UnderWay(Accepted):
    """A delivery that will be tried; its job can be polled."""

    delivery_id = answers.UUID(required=True)
    webhook_id = answers.String(required=True)


@blueprint.get("")
@requires("webhooks:read")
@blueprint.query(PageQuery)
@blueprint.answers(200, EndpointPage)
@blueprint.raises(422)
def browse(query: dict[str, Any]) -> dict[str, Any]:
    """List your endpoints, newest first."""
    return own_page(query, uuid_cursor, queries.endpoints)


@blueprint.post("")
@requires("webhooks:manage")
@blueprint.body(EndpointFields, example=EXAMPLE)
@blueprint.answers(201, NewEndpointSchema)
@blueprint.raises(409)
def create(fields: dict[str, Any]) -> dict[str, Any]:
    """Make an endpoint; its secret is shown this once."""
    return changes.created(fields)


@blueprint.get("/<uuid:endpoint_id>")
@requires("webhooks:read")
@blueprint.answers(200, EndpointSchema)
@blueprint.raises(404)
def show(endpoint_id: UUID) -> WebhookEndpoint:
    """Read one of your endpoints."""
    with platform().runtime.sessions() as session:
        return queries.own_endpoint(session, caller().user_id, endpoint_id)


@blueprint.patch("/<uuid:endpoint_id>")
@requires("webhooks:manage")
@blueprint.body(EndpointPatch, example={"active": True})
@blueprint.answers(200, EndpointSchema)
@blueprint.raises(404)
def change(fields: dict[str, Any], endpoint_id: UUID) -> WebhookEndpoint:
    """Change what you send; the rest stays. `active: true` enables one that was disabled."""
    return changes.changed(endpoint_id, fields)


@blueprint.delete("/<uuid:endpoint_id>")
@requires("webhooks:manage")
@blueprint.answers(204)
@blueprint.raises(404)
def delete(endpoint_id: UUID) -> Response:
    """Delete an endpoint with its log; what is under way to it fails."""
    return changes.deleted(endpoint_id)


@blueprint.post("/<uuid:endpoint_id>/rotate-secret")
@requires("webhooks:manage")
@blueprint.answers(200, NewSecretSchema)
@blueprint.raises(404)
def rotate_secret(endpoint_id: UUID) -> dict[str, Any]:
    """Replace its secret; the old one signs along for a while. The new one is shown this once."""
    return changes.replaced_secret(endpoint_id)


@blueprint.post("/<uuid:endpoint_id>/test")
@requires("webhooks:manage")
@blueprint.answers(202, UnderWay, headers=HEADERS)
@blueprint.once()
@blueprint.waits(JobDocument)
@blueprint.raises(404, 409)
def test(endpoint_id: UUID) -> Response:
    """Send it an event of the type `ping`."""
    return changes.pinged(endpoint_id)


@blueprint.get("/<uuid:endpoint_id>/deliveries")
@requires("webhooks:read")
@blueprint.query(PageQuery)
@blueprint.answers(200, DeliveryPage)
@blueprint.raises(404, 422)
def browse_deliveries(query: dict[str, Any], endpoint_id: UUID) -> dict[str, Any]:
    """List what was sent to it, newest first, with the newest 20 tries of each."""
    return changes.listed(query, endpoint_id)


@blueprint.post("/<uuid:endpoint_id>/deliveries/<uuid:delivery_id>/redeliver")
@requires("webhooks:manage")
@blueprint.answers(202, UnderWay, headers=HEADERS)
@blueprint.once()
@blueprint.waits(JobDocument)
@blueprint.raises(404, 409)
def redeliver(endpoint_id: UUID, delivery_id: UUID) -> Response:
    """Send a message again, under its old `webhook-id`."""
    return changes.redelivered(endpoint_id, delivery_id)


@blueprint.get("/callback-secret")
@requires("webhooks:read")
@blueprint.answers(200, SecretStateSchema)
def show_callback_secret() -> dict[str, Any]:
    """Whether you have a secret that signs calls of `callback_url`."""
    return changes.callback_secret()


@blueprint.post("/callback-secret")
@requires("webhooks:manage")
@blueprint.answers(200, NewSecretSchema)
def make_callback_secret() -> dict[str, Any]:
    """Make or replace the secret that signs calls of `callback_url`; it is shown this once."""
    return changes.replaced_secret(None)


@blueprint.get("/callback-deliveries")
@requires("webhooks:read")
@blueprint.query(PageQuery)
@blueprint.answers(200, DeliveryPage)
@blueprint.raises(422)
def browse_callbacks(query: dict[str, Any]) -> dict[str, Any]:
    """List what was sent to callback URLs of your jobs, newest first."""
    return changes.listed(query, None)


@blueprint.post("/callback-deliveries/<uuid:delivery_id>/redeliver")
@requires("webhooks:manage")
@blueprint.answers(202, UnderWay, headers=HEADERS)
@blueprint.once()
@blueprint.waits(JobDocument)
@blueprint.raises(404, 409)
def redeliver_callback(delivery_id: UUID) -> Response:
    """Send a callback again, under its old `webhook-id`."""
    return changes.redelivered(None, delivery_id)
