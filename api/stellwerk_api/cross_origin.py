"""Cross-origin requests (Fetch standard, CORS protocol): only pages from listed origins may call.

The web and the realtime process set the same headers. A preflight is answered in front of the
routes, and alike for all of them: who may do what is decided by the request that follows.
"""

from collections.abc import Collection

METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
REQUEST_HEADERS = (
    "Accept, Authorization, Cache-Control, Content-Type, Idempotency-Key, If-Match, "
    "If-None-Match, If-Range, Last-Event-ID, Prefer, Range, X-API-Key, X-CSRF-Token, "
    "X-Request-ID, traceparent, tracestate"
)
EXPOSED = (
    "Content-Disposition, Deprecation, ETag, Idempotency-Replayed, Link, Location, "
    "Preference-Applied, RateLimit, RateLimit-Policy, Retry-After, Sunset, X-Request-ID"
)
PREFLIGHT_S = 7200  # the longest that browsers keep one

_PREFLIGHT_VARY = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"


class Origins:
    """The pages that may call, as `scheme://host[:port]`; others get no permission."""

    def __init__(self, listed: Collection[str]) -> None:
        self._listed = frozenset(listed)

    def permission(self, origin: str) -> dict[str, str]:
        """Headers of an answer to this origin, or to none (an empty text)."""
        if origin not in self._listed:
            return {}
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Credentials": "true",
            "Access-Control-Expose-Headers": EXPOSED,
        }

    def preflight(self, origin: str) -> dict[str, str]:
        """Headers of the answer to a question beforehand."""
        granted = self.permission(origin)
        if granted:
            granted.pop("Access-Control-Expose-Headers")
            granted |= {
                "Access-Control-Allow-Methods": METHODS,
                "Access-Control-Allow-Headers": REQUEST_HEADERS,
                "Access-Control-Max-Age": str(PREFLIGHT_S),
            }
        return {**granted, "Vary": _PREFLIGHT_VARY}
