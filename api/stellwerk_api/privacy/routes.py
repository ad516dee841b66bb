"""`/api/v1/privacy`."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import Response

from stellwerk.jobs.queries import API
from stellwerk.privacy import service
from stellwerk_api.accounts.schemas import LinkQuery, SaidAnswer
from stellwerk_api.auth import caller, requires
from stellwerk_api.blueprint import Blueprint
from stellwerk_api.context import platform
from stellwerk_api.privacy import requests
from stellwerk_api.privacy.schemas import (
    ConfirmBody,
    ErasureSchema,
    ReceiptStateSchema,
    RequestList,
    RequestSchema,
)

privacy = Blueprint(
    "privacy",
    url_prefix=f"{API}/privacy",
    description="Everything that is held of you as one file, and its erasure (GDPR).",
)
BLUEPRINTS = (privacy,)
CONFIRMED = {"password": "correct horse battery staple"}


@privacy.post("/export")
@requires("privacy:manage")
@privacy.body(ConfirmBody, example=CONFIRMED)
@privacy.answers(202, RequestSchema)
@privacy.raises(404, 409)
def export(body: Mapping[str, Any]) -> dict[str, Any]:
    """Ask for a ZIP of everything that is held of you, as JSON; kept for a week."""
    return requests.exported(body)


@privacy.post("/delete")
@requires("privacy:manage")
@privacy.body(ConfirmBody, example=CONFIRMED)
@privacy.answers(202, ErasureSchema)
@privacy.raises(404, 409)
def delete(body: Mapping[str, Any]) -> dict[str, Any]:
    """Ask for the erasure of your account and of everything that is held of you."""
    return requests.erased(body)


@privacy.post("/confirmation")
@requires("privacy:manage")
@privacy.answers(202, SaidAnswer)
def confirm() -> Response:
    """Have a link mailed to your address that proves who you are, in place of a password."""
    return requests.asked_to_confirm()


@privacy.get("/confirmation")
@privacy.query(LinkQuery)
@privacy.answers(200, SaidAnswer)
@privacy.raises(422)
def tell_how(query: Mapping[str, Any]) -> Response:
    """Follow the link of such a mail: it tells what to send where. That uses nothing up."""
    del query
    return requests.told_how()


@privacy.get("/requests")
@requires("account:read")
@privacy.answers(200, RequestList)
def browse() -> dict[str, Any]:
    """List what you asked for."""
    return requests.own()


@privacy.get("/requests/<uuid:request_id>")
@requires("account:read")
@privacy.answers(200, RequestSchema)
@privacy.raises(404)
def show(request_id: UUID) -> dict[str, Any]:
    """Look at one of your requests; administrators see everybody's, with receipts."""
    return requests.visible(request_id)


@privacy.post("/requests/<uuid:request_id>/withdraw")
@requires("privacy:manage")
@privacy.answers(200, RequestSchema)
@privacy.raises(404, 409)
def withdraw(request_id: UUID) -> dict[str, Any]:
    """Take a request back that has not begun."""
    runtime, user_id = platform().runtime, caller().user_id
    return requests.shown(service.withdraw(runtime, user_id, request_id))


@privacy.get("/receipts/<token>")
@privacy.answers(200, ReceiptStateSchema)
@privacy.raises(404)
def receipt(token: str) -> dict[str, Any]:
    """Read the receipt of an erasure by the address that its request was answered with."""
    return requests.by_token(token)
