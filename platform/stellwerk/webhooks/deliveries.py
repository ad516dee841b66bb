"""Deliveries as jobs: made where a job ends or somebody asks, settled where their own job ends."""

from collections.abc import Iterator
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from stellwerk.clock import new_id, rfc3339, utc_now
from stellwerk.errors import Conflict, NotFound
from stellwerk.identity.model import User
from stellwerk.jobs.model import Job
from stellwerk.jobs.queries import API
from stellwerk.jobs.runtime import Runtime, Unit
from stellwerk.jobs.states import JobStatus
from stellwerk.jobs.submission import Submission, accept
from stellwerk.webhooks import service
from stellwerk.webhooks.model import (
    DeliveryStatus,
    EventType,
    WebhookDelivery,
    WebhookEndpoint,
)

DELIVER = "webhooks.deliver"

_EVENTS = {
    JobStatus.COMPLETED: EventType.JOB_COMPLETED,
    JobStatus.FAILED: EventType.JOB_FAILED,
    JobStatus.CANCELLED: EventType.JOB_CANCELLED,
}


def announce(runtime: Runtime, work: Unit, job: Job) -> None:
    """Called in the transaction that ends a job: put a delivery for each receiver beside it.

    The end of a delivery is told to nobody, or every end would beget another.
    """
    if job.operation == DELIVER or job.owner_id is None:
        return
    event_type = _EVENTS[JobStatus(job.status)]
    for receiver in _receivers(work.session, job, event_type):
        _dispatch(runtime, work, _about(runtime, job, event_type, receiver), job.request_id)


def ping(runtime: Runtime, work: Unit, endpoint: WebhookEndpoint) -> WebhookDelivery:
    """Send an endpoint something harmless; raises Conflict where it is disabled."""
    _require_active(endpoint)
    data = {"endpoint_id": str(endpoint.id)}
    delivery = WebhookDelivery(
        owner_id=endpoint.owner_id,
        endpoint_id=endpoint.id,
        event_type=EventType.PING.value,
        body=_body(EventType.PING, rfc3339(utc_now()), data),
    )
    return _dispatch(runtime, work, delivery)


def redeliver(runtime: Runtime, work: Unit, delivery: WebhookDelivery) -> WebhookDelivery:
    """Deliver it again under its old id, by a new job; raises Conflict while it is under way."""
    session = work.session
    session.refresh(delivery, with_for_update=True)
    if delivery.status == DeliveryStatus.PENDING:
        raise Conflict("It is still being delivered.", details={"job_id": str(delivery.job_id)})
    if delivery.endpoint_id:
        _require_active(session.get_one(WebhookEndpoint, delivery.endpoint_id))
    reopen(delivery)
    delivery.job_id = _job_for(runtime, work, delivery)
    return delivery


def started_by(session: Session, job_id: UUID) -> WebhookDelivery:
    """The delivery that a job was made for; raises NotFound where it was deleted since."""
    job = session.get(Job, job_id)
    delivery = session.get(WebhookDelivery, UUID(job.payload["delivery_id"])) if job else None
    if delivery is None:
        raise NotFound("The delivery was deleted since.")
    return delivery


def settle(session: Session, job: Job, runtime: Runtime) -> None:
    """The delivering job ended: so did the delivery. Disables what has failed for days."""
    has_failed = job.status != JobStatus.COMPLETED
    if has_failed and job.owner_id:  # locked before the endpoint, as everywhere
        session.get_one(User, job.owner_id, with_for_update={"key_share": True})
    delivery = _delivery_of(session, job)
    if delivery is None:
        return
    delivery.status = DeliveryStatus.FAILED if has_failed else DeliveryStatus.DELIVERED
    delivery.finished_at = session.scalar(select(func.now()))
    if has_failed and delivery.endpoint_id:
        _disable_if_hopeless(session, runtime, delivery.endpoint_id)


def resume(session: Session, job: Job, runtime: Runtime) -> None:
    """An operator retries the delivering job."""
    del runtime
    delivery = _delivery_of(session, job)
    if delivery is not None:
        reopen(delivery)


def reopen(delivery: WebhookDelivery) -> None:
    """It is under way again."""
    delivery.status, delivery.finished_at = DeliveryStatus.PENDING, None


def _receivers(session: Session, job: Job, event_type: EventType) -> Iterator[dict[str, Any]]:
    """Which columns of a delivery name each receiver that wants to hear of it.

    Endpoints are held FOR KEY SHARE, so that none goes away before its delivery refers to it: that
    would fail the transaction which ends the job.
    """
    query = select(WebhookEndpoint).where(
        WebhookEndpoint.owner_id == job.owner_id, WebhookEndpoint.is_active
    )
    held = query.order_by(WebhookEndpoint.id).with_for_update(read=True, key_share=True)
    for endpoint in session.scalars(held).all():
        if _wants(endpoint, job.operation, event_type):
            yield {"endpoint_id": endpoint.id}
    if job.callback_url:
        yield {"callback_url": job.callback_url}


def _wants(endpoint: WebhookEndpoint, operation: str, event_type: EventType) -> bool:
    if endpoint.event_types and event_type not in endpoint.event_types:
        return False
    patterns = endpoint.operations
    return not patterns or any(fnmatchcase(operation, pattern) for pattern in patterns)


def _about(
    runtime: Runtime, job: Job, event_type: EventType, receiver: dict[str, Any]
) -> WebhookDelivery:
    data = {
        "job_id": str(job.id),
        "operation": job.operation,
        "status": job.status,
        "url": f"{runtime.settings.base_url()}{API}/jobs/{job.id}",
    }
    return WebhookDelivery(
        owner_id=job.owner_id,
        event_type=event_type.value,
        about_job_id=job.id,
        body=_body(event_type, rfc3339(job.finished_at), data),
        **receiver,
    )


def _body(event_type: EventType, timestamp: str | None, data: dict[str, Any]) -> str:
    return orjson.dumps({"type": event_type, "timestamp": timestamp, "data": data}).decode()


def _dispatch(
    runtime: Runtime, work: Unit, delivery: WebhookDelivery, request_id: str | None = None
) -> WebhookDelivery:
    delivery.id = new_id()
    delivery.job_id = _job_for(runtime, work, delivery, request_id)
    work.session.add(delivery)
    work.session.flush()
    return delivery


def _job_for(
    runtime: Runtime, work: Unit, delivery: WebhookDelivery, request_id: str | None = None
) -> UUID:
    payload = {"delivery_id": str(delivery.id)}
    submission = Submission(DELIVER, payload, delivery.owner_id, request_id=request_id)
    return accept(runtime, work, submission, payload).id


def _delivery_of(session: Session, job: Job) -> WebhookDelivery | None:
    """The delivery this job is at, if it still is the one at it."""
    query = select(WebhookDelivery).where(
        WebhookDelivery.id == UUID(job.payload["delivery_id"]), WebhookDelivery.job_id == job.id
    )
    return session.scalar(query.with_for_update())


def _disable_if_hopeless(session: Session, runtime: Runtime, endpoint_id: UUID) -> None:
    days = runtime.settings.webhook_disable_after_days
    query = select(WebhookEndpoint).where(
        WebhookEndpoint.id == endpoint_id,
        WebhookEndpoint.is_active,
        WebhookEndpoint.failing_since < func.now() - timedelta(days=days),
    )
    endpoint = session.scalar(query.with_for_update(key_share=True))
    if endpoint:
        service.disable(session, endpoint, f"Every try of {days:g} days failed.")


def _require_active(endpoint: WebhookEndpoint) -> None:
    if not endpoint.is_active:
        raise Conflict("The endpoint is disabled. Enable it first: PATCH it with active=true.")
