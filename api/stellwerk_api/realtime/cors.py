"""Cross-origin requests in the realtime process; cross_origin.py says who may send them."""

from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stellwerk_api.cross_origin import Origins


class RealtimeCors:
    """ASGI middleware before all that answers; what Flask set already is set once more, alike."""

    def __init__(self, app: ASGIApp, listed: Collection[str]) -> None:
        self._app = app
        self._origins = Origins(listed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add what a page needs to an answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        granted = self._origins.permission(Headers(scope=scope).get("origin", ""))

        async def send_granted(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.add_vary_header("Origin")
                headers.update(granted)
            await send(message)

        await self._app(scope, receive, send_granted)
