"""Requests as JSON."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import Response
from sqlalchemy import select

from stellwerk.configuration.rates import RateClass
from stellwerk.connections import signing_in
from stellwerk.connections.signing_in import Shown
from stellwerk.identity import proving
from stellwerk.jobs.queries import API
from stellwerk.privacy import service
from stellwerk.privacy.model import PrivacyRequest, RequestKind, RequestStatus
from stellwerk.privacy.receipts import is_genuine
from stellwerk_api.auth import caller, count_proof, credentials
from stellwerk_api.context import platform
from stellwerk_api.json_answers import json_answer
from stellwerk_api.languages import wanted_language
from stellwerk_api.limits import note
from stellwerk_api.observation import request_id

LISTED = 100


def exported(proof: Mapping[str, Any]) -> dict[str, Any]:
    """A new request of the caller's."""
    _confirm(proof)
    runtime, user_id = platform().runtime, caller().user_id
    sent = {"request_id": request_id(), "language": wanted_language()}
    return shown(service.request_export(runtime, user_id, **sent))


def erased(proof: Mapping[str, Any]) -> dict[str, Any]:
    """The same, and where its receipt will be."""
    _confirm(proof)
    return erasure_of(caller().user_id)


def erasure_of(user_id: int) -> dict[str, Any]:
    """A new request to erase an account; raises NotFound, Conflict."""
    made = service.request_erasure(
        platform().runtime,
        user_id,
        request_id=request_id(),
        by=caller().user_id,
        language=wanted_language(),
    )
    url = f"{platform().settings.base_url()}{API}/privacy/receipts/{made.receipt_token}"
    return shown(made.request) | {"receipt_url": url}


def own() -> dict[str, Any]:
    """The caller's newest requests."""
    query = select(PrivacyRequest).where(PrivacyRequest.user_id == caller().user_id)
    with platform().runtime.sessions() as session:
        found = session.scalars(query.order_by(PrivacyRequest.id.desc()).limit(LISTED)).all()
    return {"items": [shown(one) for one in found]}


def visible(wanted: UUID) -> dict[str, Any]:
    """One of the caller's; an administrator sees everybody's. Raises NotFound."""
    with platform().runtime.sessions() as session:
        found = session.get(PrivacyRequest, wanted)
    is_theirs = found is not None and found.user_id == caller().user_id
    if found is None or not (is_theirs or caller().may("privacy:erase")):
        raise service.unknown(wanted)
    return shown(found)


def by_token(token: str) -> dict[str, Any]:
    """What whoever holds a receipt's token may see; raises NotFound."""
    query = select(PrivacyRequest).where(PrivacyRequest.receipt_hash == service.token_hash(token))
    with platform().runtime.sessions() as session:
        found = session.scalar(query)
    if found is None:
        raise service.unknown("of that receipt")
    return _state(found)


def shown(request: PrivacyRequest) -> dict[str, Any]:
    """A request as who made it sees it."""
    file = f"{API}/jobs/{request.job_id}/artifacts/{service.FILE}"
    return _state(request) | {
        "id": request.id,
        "kind": RequestKind(request.kind),
        "created_at": request.created_at,
        "status_url": f"{API}/privacy/requests/{request.id}",
        "download": file if request.is_available else None,
    }


def _state(request: PrivacyRequest) -> dict[str, Any]:
    vault, receipt = platform().runtime.vault, request.receipt
    return {
        "status": RequestStatus(request.status),
        "due_at": request.due_at,
        "finished_at": request.finished_at,
        "receipt": receipt,
        "genuine": None if receipt is None else is_genuine(receipt, vault),
    }


def asked_to_confirm() -> Response:
    """A mail to the caller follows."""
    note(credentials().limiter.count(RateClass.MAIL, caller()))
    proving.ask_to_confirm(platform().runtime, caller().user_id, wanted_language())
    return json_answer({"message": "We have written to the address of your account."}, 202)


def told_how() -> Response:
    """What to do with its link where no page of the installation's does it."""
    message = f"POST the token of this link to {API}/privacy/export or {API}/privacy/delete."
    return json_answer({"message": message})


def _confirm(proof: Mapping[str, Any]) -> None:
    runtime, user_id = platform().runtime, caller().user_id
    count_proof()
    if "password" in proof:
        proving.require_password(runtime, user_id, proof["password"])
    elif "token" in proof:
        proving.require_link(runtime, user_id, proof["token"])
    else:
        signing_in.prove(runtime, user_id, Shown(**proof["nextcloud"]))
