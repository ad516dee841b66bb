"""Errors in RFC 9457's form, for clients that like it better than our envelope."""

from functools import lru_cache
from http import HTTPStatus
from typing import Any

PROBLEM = "application/problem+json"
REMEMBERED = 1024

_JSON = "application/json"


@lru_cache(REMEMBERED)
def prefers_problem(accept: str) -> bool:
    """Whether an `Accept` header likes problem+json better than JSON (RFC 9110, 12.5.1)."""
    from werkzeug.datastructures import (  # noqa: PLC0415  realtime seldom needs it
        MIMEAccept,
    )
    from werkzeug.http import parse_accept_header  # noqa: PLC0415  the same

    accepted = parse_accept_header(accept, MIMEAccept)
    return accepted.quality(PROBLEM) > accepted.quality(_JSON)


def as_problem(status: int, said: dict[str, Any]) -> dict[str, Any]:
    """What an envelope says about an error, as a problem document."""
    known = {found.value: found.phrase for found in HTTPStatus}
    rest = {name: value for name, value in said.items() if name != "message"}
    return {
        "type": "about:blank",
        "title": known.get(status, "Error"),
        "status": status,
        "detail": said["message"],
        **rest,
    }
