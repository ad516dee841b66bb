"""Tells whoever puts something on record where the request that is being answered comes from."""

from flask import Flask, request

from stellwerk.audit.origin import LONGEST_AGENT, NOWHERE, Origin, comes_from
from stellwerk.identity.caller import Caller
from stellwerk.identity.standing import credential
from stellwerk_api.observation import request_id


def note_origins(app: Flask) -> None:
    """Say so at the beginning of every request, and unsay it at its end."""
    app.before_request(note_origin)
    app.teardown_request(lambda _: comes_from(NOWHERE))


def note_origin(caller: Caller | None = None) -> None:
    """The request's origin, and what its sender showed."""
    is_known = caller is not None and bool(caller.session_id or caller.key_id)
    comes_from(
        Origin(
            address=request.remote_addr or "",
            user_agent=request.headers.get("User-Agent", "")[:LONGEST_AGENT],
            request_id=request_id(),
            credential=credential(caller) if caller and is_known else "",
        )
    )
