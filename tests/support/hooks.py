"""Endpoints of made-up users, their deliveries, and what a careful receiver does."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from standardwebhooks import Webhook

from people import add_user
from receiver import Received
from stellwerk.bootstrap import Platform
from stellwerk.jobs import queries as jobs
from stellwerk.jobs.runtime import Runtime
from stellwerk.jobs.submission import Submission, submit
from stellwerk.webhooks import queries, service
from stellwerk.webhooks.model import WebhookDelivery, WebhookEndpoint
from stellwerk.webhooks.queries import Receiver


@dataclass(frozen=True, slots=True)
class Hook:
    """An endpoint and its secret."""

    runtime: Runtime
    owner_id: int
    endpoint_id: UUID
    secret: str

    def submit(self, operation: str = "diagnostics.echo", **fields: Any) -> UUID:
        """A job of the endpoint's owner."""
        return submit(self.runtime, Submission(operation, {}, self.owner_id, **fields))

    def deliveries(self) -> list[dict[str, Any]]:
        """The endpoint's log, newest first."""
        with self.runtime.sessions() as session:
            receiver = Receiver(self.owner_id, self.endpoint_id)
            return queries.deliveries(session, receiver, after=None, limit=100)

    def endpoint(self) -> WebhookEndpoint:
        """The endpoint as it stands."""
        with self.runtime.sessions() as session:
            return session.get_one(WebhookEndpoint, self.endpoint_id)

    def change(self, **fields: Any) -> None:
        """Change the endpoint's row, past its rules."""
        with self.runtime.sessions.begin() as session:
            endpoint = session.get_one(WebhookEndpoint, self.endpoint_id)
            for name, value in fields.items():
                setattr(endpoint, name, value)


def hook(platform: Platform, url: str, *, owner_id: int | None = None, **fields: Any) -> Hook:
    """A new endpoint, of a new user unless told whose."""
    user_id, runtime = owner_id or add_user(platform), platform.runtime
    with runtime.sessions.begin() as session:
        endpoint, secret = service.create(session, runtime, user_id, {"url": url, **fields})
    return Hook(runtime, user_id, endpoint.id, secret)


def deliveries_of(runtime: Runtime, owner_id: int) -> list[WebhookDelivery]:
    """Everything that is or was on its way for a user, oldest first."""
    query = select(WebhookDelivery).where(WebhookDelivery.owner_id == owner_id)
    with runtime.sessions() as session:
        return list(session.scalars(query.order_by(WebhookDelivery.id)))


def document(runtime: Runtime, job_id: UUID) -> dict[str, Any]:
    """A job as clients see it."""
    with runtime.sessions() as session:
        return jobs.change(session, runtime.registry, job_id).document


def verified(request: Received, secret: str) -> dict[str, Any]:
    """The body, if the public library finds it signed with the secret and fresh."""
    found: dict[str, Any] = Webhook(secret).verify(request.body, dict(request.headers))
    return found
