"""The rules of endpoints and callbacks: who may have which, and when one is disabled."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from stellwerk.clock import new_id
from stellwerk.errors import Conflict, FieldError, InvalidInput, ProviderRejected
from stellwerk.identity.model import User
from stellwerk.jobs.runtime import Runtime
from stellwerk.webhooks import keyring
from stellwerk.webhooks.keyring import Ring
from stellwerk.webhooks.model import WebhookEndpoint

SECRET_FIRST = "Make a secret first: POST /api/v1/webhook-endpoints/callback-secret."  # noqa: S105  a sentence

_UNWATCH = text("""
    DELETE FROM job_watchers WHERE user_id = :user_id AND NOT EXISTS (
        SELECT 1 FROM webhook_endpoints WHERE owner_id = :user_id AND is_active)
""")
_WATCH = text("""
    INSERT INTO job_watchers (user_id) SELECT :user_id WHERE EXISTS (
        SELECT 1 FROM webhook_endpoints WHERE owner_id = :user_id AND is_active)
    ON CONFLICT DO NOTHING
""")


def create(
    session: Session, runtime: Runtime, owner_id: int, fields: Mapping[str, Any]
) -> tuple[WebhookEndpoint, str]:
    """A new endpoint and its secret, which is shown this once.

    Raises InvalidInput for a URL that may not be called, Conflict at the limit of endpoints.
    """
    refuse_url(runtime, fields["url"], field="url")
    _lock(session, owner_id)
    _refuse_too_many(session, owner_id, runtime.settings.webhook_endpoints_limit)
    endpoint = WebhookEndpoint(id=new_id(), owner_id=owner_id, **fields)
    session.add(endpoint)
    session.flush()
    keep_watching(session, owner_id)
    secret = keyring.replace(session, runtime.vault, Ring(owner_id, endpoint.id), overlap_h=0)
    session.refresh(endpoint)
    return endpoint, secret


def change(
    session: Session, runtime: Runtime, endpoint: WebhookEndpoint, fields: Mapping[str, Any]
) -> None:
    """Set what its owner sends; enabling forgets why it was disabled. Raises InvalidInput."""
    if "url" in fields:
        refuse_url(runtime, fields["url"], field="url")
    _lock(session, endpoint.owner_id)
    for name, value in fields.items():
        setattr(endpoint, name, value)
    if fields.get("is_active"):
        endpoint.disabled_reason = endpoint.failing_since = None
    session.flush()
    keep_watching(session, endpoint.owner_id)
    session.refresh(endpoint)


def delete(session: Session, endpoint: WebhookEndpoint) -> None:
    """It is gone, with its secrets and its log; what was under way to it fails."""
    _lock(session, endpoint.owner_id)
    session.delete(endpoint)
    session.flush()
    keep_watching(session, endpoint.owner_id)


def disable(session: Session, endpoint: WebhookEndpoint, reason: str) -> None:
    """Nothing is sent to it any more until its owner enables it."""
    _lock(session, endpoint.owner_id)
    endpoint.is_active = False
    endpoint.disabled_reason = reason
    session.flush()
    keep_watching(session, endpoint.owner_id)


def keep_watching(session: Session, user_id: int) -> None:
    """Let the engine tell of the user's jobs, if and only if an endpoint listens.

    The caller holds the user's row, so that two changes do not miss each other.
    """
    session.execute(_UNWATCH, {"user_id": user_id})
    session.execute(_WATCH, {"user_id": user_id})


def refuse_callbacks(runtime: Runtime, owner_id: int, urls: Mapping[str, str | None]) -> None:
    """Raise InvalidInput for jobs' callback URLs that may not be called, or not be signed.

    `urls` stand under the names of their fields, None where a job has none; the ledger is asked
    once for all of them.
    """
    given = {field: url for field, url in urls.items() if url is not None}
    for field, url in given.items():
        refuse_url(runtime, url, field=field)
    if not given:
        return
    with runtime.sessions() as session:
        if not keyring.exists(session, Ring(owner_id)):
            errors = [FieldError(field, SECRET_FIRST) for field in given]
            raise InvalidInput(SECRET_FIRST, errors=errors)


def refuse_url(runtime: Runtime, url: str, *, field: str) -> None:
    """Raise InvalidInput for a URL that will never be called; where its name leads is seen then."""
    try:
        runtime.providers.outbound.check(url)
    except ProviderRejected as exc:
        errors = [FieldError(field, exc.message)]
        raise InvalidInput("The URL cannot be used.", errors=errors) from exc


def _refuse_too_many(session: Session, owner_id: int, limit: int) -> None:
    query = select(func.count()).where(WebhookEndpoint.owner_id == owner_id)
    if (session.scalar(query) or 0) >= limit:
        raise Conflict(f"You have {limit} webhook endpoints. Delete one first.")


def _lock(session: Session, user_id: int) -> None:
    session.get_one(User, user_id, with_for_update={"key_share": True})
