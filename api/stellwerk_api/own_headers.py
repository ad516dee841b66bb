"""Headers that every answer has, whichever process gives it, and the id of a request."""

import re

from stellwerk.clock import new_id_text

REQUEST_ID = "X-Request-ID"
SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}

_WELL_FORMED = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def well_formed_id(given: str) -> str:
    """The id that a client gave, or a new one."""
    return given if _WELL_FORMED.fullmatch(given) else new_id_text()
