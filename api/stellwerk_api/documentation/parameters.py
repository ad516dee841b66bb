"""Request headers of the OpenAPI document, for `Blueprint.reads`."""

from collections.abc import Mapping
from typing import Any

Parameter = Mapping[str, Any]


def header(name: str, description: str, example: str) -> Parameter:
    """An optional request header."""
    return {
        "name": name,
        "in": "header",
        "required": False,
        "schema": {"type": "string"},
        "description": description,
        "example": example,
    }


PREFER = header(
    "Prefer",
    "`wait=N` (RFC 7240): hold the answer back for up to N seconds until the job has ended; "
    "at most 30 s are waited. `Preference-Applied: wait` shows that it has.",
    "wait=10",
)
RANGE = header("Range", "A part of the file (RFC 9110, 14.2); one range.", "bytes=0-1023")
IF_RANGE = header(
    "If-Range",
    "The part only if the file has this ETag, else all of it.",
    '"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"',
)
IF_NONE_MATCH = header(
    "If-None-Match", "304 if this ETag is still the newest.", '"7-5d1f0c2b9a7e4f36"'
)
IF_MATCH = header(
    "If-Match",
    "The ETag that a change is based on: 409 where what it changes was changed after that.",
    "*",
)
LAST_EVENT_ID = header("Last-Event-ID", "Go on after this event.", "7-0")
IDEMPOTENCY_KEY = header(
    "Idempotency-Key",
    "1 to 255 visible ASCII characters that you choose anew for each request that means something "
    "new. The same key and body, sent again to the same path within 24 hours, do nothing and are "
    "answered with the same job and `Idempotency-Replayed: true`.",
    '"8e03978e-40d5-43dd-bc93-6894a57f9324"',
)
