"""A gateway that is Caddy, told its routes over the admin API (https://caddyserver.com/docs/api)."""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from stellwerk.errors import ProviderUnavailable
from stellwerk.providers.gateway.admin_api import AdminApi, Answer
from stellwerk.providers.gateway.protocol import Routes
from stellwerk.providers.gateway.routes import MODULE_ROUTES_ID, addresses, caddy_routes
from stellwerk.providers.vendor_errors import provider_error

PLACE = f"/id/{MODULE_ROUTES_ID}/routes"
ROUNDS = 20  # others may change the routes meanwhile, each of them once or twice


class CaddyGateway:
    """`url` is that of the admin API: `unix:///path` or `http://host:port`.

    Any number of threads and processes may use it at once.
    """

    def __init__(self, url: str) -> None:
        self._api = AdminApi(url)

    def apply(self, read: Callable[[], Routes]) -> bool:
        """As the protocol says; by the version that Caddy gives its configuration (`Etag`)."""
        for _ in range(ROUNDS):
            found, version = self._found()
            wanted = caddy_routes(read())
            if found == wanted:
                return False
            if self._replaced(wanted, version):
                return True
        raise ProviderUnavailable("The routes of the gateway are changed by others all the time.")

    def routes(self) -> Routes:
        """As the protocol says."""
        return addresses(self._found()[0])

    def _found(self) -> tuple[list[dict[str, Any]], str]:
        answer = _accepted(self._api.get(PLACE))
        return json.loads(answer.body) or [], answer.headers["Etag"]

    def _replaced(self, wanted: list[dict[str, Any]], version: str) -> bool:
        """Whether they were, since nothing had changed in between."""
        answer = self._api.patch(PLACE, wanted, version=version)
        if answer.status == HTTPStatus.PRECONDITION_FAILED:
            return False
        _accepted(answer)
        return True


def _accepted(answer: Answer) -> Answer:
    if answer.status != HTTPStatus.OK:
        message = answer.body.decode(errors="replace").strip()
        raise provider_error("The gateway", answer.status, message=message, headers=answer.headers)
    return answer
