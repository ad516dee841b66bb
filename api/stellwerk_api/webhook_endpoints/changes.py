"""Changes of endpoints and secrets, and deliveries, on behalf of a caller."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from flask import Response

from stellwerk.jobs.idempotency import Replayed, name_jobs, reserve
from stellwerk.jobs.runtime import Unit, unit
from stellwerk.webhooks import deliveries, keyring, queries, service
from stellwerk.webhooks.keyring import Ring
from stellwerk.webhooks.model import WebhookDelivery, WebhookEndpoint
from stellwerk.webhooks.queries import Receiver
from stellwerk.webhooks.schemas import EndpointSchema
from stellwerk_api.accepted import accepted
from stellwerk_api.auth import caller
from stellwerk_api.context import platform
from stellwerk_api.idempotency import once, replay
from stellwerk_api.json_answers import ApiResponse
from stellwerk_api.pagination import page, uuid_cursor

_SHOWN = EndpointSchema()


def created(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A new endpoint, with its secret."""
    runtime = platform().runtime
    with runtime.sessions.begin() as session:
        endpoint, secret = service.create(session, runtime, caller().user_id, fields)
        return {**_columns(endpoint), "secret": secret}


def changed(endpoint_id: UUID, fields: Mapping[str, Any]) -> WebhookEndpoint:
    """The endpoint after a change."""
    runtime = platform().runtime
    with runtime.sessions.begin() as session:
        endpoint = queries.held_endpoint(session, caller().user_id, endpoint_id)
        service.change(session, runtime, endpoint, fields)
        return endpoint


def deleted(endpoint_id: UUID) -> Response:
    """204, when it is gone."""
    with platform().runtime.sessions.begin() as session:
        service.delete(session, queries.held_endpoint(session, caller().user_id, endpoint_id))
    return ApiResponse(status=204)


def replaced_secret(endpoint_id: UUID | None) -> dict[str, Any]:
    """A new secret of an endpoint, or of the caller's callbacks."""
    runtime, ring = platform().runtime, Ring(caller().user_id, endpoint_id)
    overlap_h = runtime.settings.webhook_secret_overlap_h
    with runtime.sessions.begin() as session:
        if endpoint_id:
            queries.held_endpoint(session, ring.owner_id, endpoint_id)
        secret = keyring.replace(session, runtime.vault, ring, overlap_h=overlap_h)
        until = keyring.previous_until(session, ring)
    return {"secret": secret, "previous_valid_until": until}


def callback_secret() -> dict[str, Any]:
    """Whether there is one."""
    ring = Ring(caller().user_id)
    with platform().runtime.sessions() as session:
        return {
            "exists": keyring.exists(session, ring),
            "previous_valid_until": keyring.previous_until(session, ring),
        }


def listed(query: Mapping[str, Any], endpoint_id: UUID | None) -> dict[str, Any]:
    """A page of an endpoint's deliveries, or of those to callback URLs."""
    receiver, after = Receiver(caller().user_id, endpoint_id), uuid_cursor(query["cursor"])
    limit = query["limit"]
    with platform().runtime.sessions() as session:
        if endpoint_id:
            queries.own_endpoint(session, receiver.owner_id, endpoint_id)
        found = queries.deliveries(session, receiver, after=after, limit=limit + 1)
    return page(found, limit, "id")


def pinged(endpoint_id: UUID) -> Response:
    """Something harmless is on its way."""
    runtime, user_id = platform().runtime, caller().user_id

    def ping(work: Unit) -> WebhookDelivery:
        endpoint = queries.held_endpoint(work.session, user_id, endpoint_id)
        return deliveries.ping(runtime, work, endpoint)

    return _under_way(ping)


def redelivered(endpoint_id: UUID | None, delivery_id: UUID) -> Response:
    """An old message is on its way again."""
    runtime, receiver = platform().runtime, Receiver(caller().user_id, endpoint_id)

    def again(work: Unit) -> WebhookDelivery:
        delivery = queries.held_delivery(work.session, receiver, delivery_id)
        return deliveries.redeliver(runtime, work, delivery)

    return _under_way(again)


def _under_way(start: Callable[[Unit], WebhookDelivery]) -> Response:
    with unit(platform().runtime) as work:
        delivery, job_id = _once(work, start)
    return accepted(
        job_id,
        deliveries.DELIVER,
        delivery_id=str(delivery.id),
        webhook_id=delivery.message_id,
    )


def _once(work: Unit, start: Callable[[Unit], WebhookDelivery]) -> tuple[WebhookDelivery, UUID]:
    """The delivery and its job: started now, or by an earlier request of the same key."""
    try:
        reserve(work.session, once(), ())
    except Replayed as exc:
        (job_id,) = replay(exc)
        return deliveries.started_by(work.session, job_id), job_id
    delivery = start(work)
    name_jobs(work.session, once(), [delivery.job_id])
    return delivery, delivery.job_id


def _columns(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return {name: getattr(endpoint, name) for name in _SHOWN.fields}
