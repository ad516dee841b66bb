"""Cross-origin requests in the web process; cross_origin.py says who may send them."""

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from stellwerk_api.cross_origin import Origins
from stellwerk_api.own_headers import REQUEST_ID, SECURITY, well_formed_id

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class WebCors:
    """WSGI middleware before all that answers."""

    def __init__(self, app: "WSGIApplication", listed: Collection[str]) -> None:
        self._app = app
        self._origins = Origins(listed)

    def __call__(self, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        """Answer a preflight, or add what a page needs to an answer."""
        origin = environ.get("HTTP_ORIGIN", "")
        if origin and _is_preflight(environ):
            request_id = well_formed_id(environ.get("HTTP_X_REQUEST_ID", ""))
            headers = {**SECURITY, **self._origins.preflight(origin), REQUEST_ID: request_id}
            start("204 NO CONTENT", list(headers.items()))
            return ()
        granted = list(self._origins.permission(origin).items())

        def start_granted(status: str, headers: list[tuple[str, str]], *failure: Any) -> Any:
            return start(status, [*_varied(headers), *granted], *failure)

        return self._app(environ, start_granted)


def _is_preflight(environ: Mapping[str, Any]) -> bool:
    asks = "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
    return asks and environ["REQUEST_METHOD"] == "OPTIONS"


def _varied(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The headers, one of them `Vary` with the origin in it."""
    known = [value for name, value in headers if name.lower() == "vary"]
    others = [pair for pair in headers if pair[0].lower() != "vary"]
    return [*others, ("Vary", ", ".join([*known, "Origin"]))]
