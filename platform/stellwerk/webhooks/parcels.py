"""One try of a delivery: what is sent, what the answer means, and what is kept of it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, update
from sqlalchemy.orm import Session

from stellwerk.errors import JobFailed, ProviderError, ProviderRejected, ProviderUnavailable
from stellwerk.providers.outbound.client import Answer
from stellwerk.providers.vendor_errors import retry_after_s
from stellwerk.vault import Vault
from stellwerk.webhooks import keyring, service
from stellwerk.webhooks.keyring import Ring
from stellwerk.webhooks.model import (
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    message_id,
)
from stellwerk.webhooks.signing import signed_headers

GONE = 410
HEEDED = frozenset({429, 503})  # their Retry-After is
LONGEST_WAIT_S = 86_400.0

_SUCCESSES = range(200, 300)
_REDIRECTS = range(300, 400)


@dataclass(frozen=True, slots=True)
class Parcel:
    """A delivery, ready to be sent."""

    delivery_id: UUID
    endpoint_id: UUID | None
    url: str
    body: bytes
    secrets: tuple[str, ...]

    def headers(self, sent_at: datetime) -> dict[str, str]:
        """Signed for this try."""
        return signed_headers(message_id(self.delivery_id), sent_at, self.body, self.secrets)


@dataclass(frozen=True, slots=True)
class Try:
    """How a try went; without an `error` it was delivered."""

    status_code: int | None
    duration_ms: int
    error: ProviderError | None = None


def packed(session: Session, vault: Vault, delivery_id: UUID) -> Parcel:
    """What to send; raises JobFailed where nothing may be sent any more."""
    delivery = session.get(WebhookDelivery, delivery_id)
    if delivery is None:
        raise JobFailed("The endpoint, or the record of this delivery, was removed.")
    ring = Ring(delivery.owner_id, delivery.endpoint_id)
    return Parcel(
        delivery_id=delivery.id,
        endpoint_id=delivery.endpoint_id,
        url=delivery.callback_url or _url_of(session, delivery.endpoint_id),
        body=delivery.body.encode(),
        secrets=tuple(keyring.valid(session, vault, ring)),
    )


def judged(answer: Answer) -> Try:
    """2xx is success, 410 final; everything else, redirects too, may work later."""
    status = answer.status
    error: ProviderError | None = None
    if status == GONE:
        error = ProviderRejected("The receiver answered 410: it is gone for good.")
    elif status in _REDIRECTS:
        error = ProviderUnavailable(f"The receiver answered {status}; redirects are not followed.")
    elif status not in _SUCCESSES:
        hint_s = retry_after_s(answer.headers) if status in HEEDED else None
        wait_s = None if hint_s is None else min(hint_s, LONGEST_WAIT_S)
        error = ProviderUnavailable(f"The receiver answered {status}.", retry_after_s=wait_s)
    return Try(status, answer.duration_ms, error)


def record(session: Session, parcel: Parcel, tried: Try) -> None:
    """Keep a line about the try, and what it says about the endpoint."""
    if parcel.endpoint_id:
        _note_health(session, parcel.endpoint_id, tried)
    session.add(
        WebhookAttempt(
            delivery_id=parcel.delivery_id,
            status_code=tried.status_code,
            duration_ms=tried.duration_ms,
            error=tried.error.message[:300] if tried.error else None,
        )
    )


def _url_of(session: Session, endpoint_id: UUID | None) -> str:
    endpoint = session.get_one(WebhookEndpoint, endpoint_id)
    if not endpoint.is_active:
        raise JobFailed("The endpoint is disabled.")
    return endpoint.url


def _note_health(session: Session, endpoint_id: UUID, tried: Try) -> None:
    """Healthy endpoints are not written to: many deliveries to one stand in no queue."""
    if tried.status_code == GONE:
        endpoint = session.get(WebhookEndpoint, endpoint_id)
        if endpoint and endpoint.is_active:
            service.disable(session, endpoint, "It answered 410: gone for good.")
        return
    since = WebhookEndpoint.failing_since
    changed = since.is_(None) if tried.error else since.is_not(None)
    session.execute(
        update(WebhookEndpoint)
        .where(WebhookEndpoint.id == endpoint_id, changed)
        .values(failing_since=func.now() if tried.error else None)
        .execution_options(synchronize_session=False)
    )
