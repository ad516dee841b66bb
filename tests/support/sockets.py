"""A client of the WebSocket, as a client developer would write it."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from front import Front
from full_stack import Client

SOON_S = 60.0  # generous: the machine is shared

Said = dict[str, Any]


@dataclass(slots=True)
class Talk:
    """One open socket."""

    connection: ClientConnection

    def say(self, kind: str, **fields: Any) -> None:
        """Send a message."""
        self.connection.send(json.dumps({"type": kind, **fields}))

    def hear(self) -> Said:
        """The next message."""
        heard: Said = json.loads(self.connection.recv(timeout=SOON_S))
        return heard

    def hear_until(self, is_it: Callable[[Said], bool]) -> list[Said]:
        """Messages up to the one that is waited for."""
        heard = [self.hear()]
        while not is_it(heard[-1]):
            heard.append(self.hear())
        return heard

    def subscribe(self, channel: str, **fields: Any) -> Said:
        """Subscribe; returns the first event."""
        self.say("subscribe", channel=channel, **fields)
        assert self.hear() == {"type": "subscribed", "channel": channel}
        return self.hear()

    def closed(self) -> tuple[int, str]:
        """Code and reason of the close, which has to come; messages before it are read over."""
        with pytest.raises(ConnectionClosed) as caught:
            self._hear_for_ever()
        close = caught.value.rcvd
        assert close, "cut off without a close frame"
        return close.code, close.reason

    def _hear_for_ever(self) -> None:
        while True:
            self.connection.recv(timeout=SOON_S)


def token_of(client: Client) -> str:
    """What the client signs in with."""
    return str(client.session.headers["Authorization"]).removeprefix("Bearer ")


@contextmanager
def silent(url: str, path: str = "/api/v1/ws", **options: Any) -> Iterator[Talk]:
    """A socket that has not said who it is; `url` is http."""
    address = url.replace("http", "ws", 1) + path
    with connect(address, open_timeout=SOON_S, close_timeout=5, **options) as connection:
        yield Talk(connection)


@contextmanager
def talking(client: Client, **options: Any) -> Iterator[Talk]:
    """A socket of somebody who is signed in."""
    with silent(client.url, **options) as talk:
        talk.say("auth", token=token_of(client))
        assert talk.hear()["type"] == "authenticated"
        yield talk


def is_event(kind: str) -> Callable[[Said], bool]:
    """Whether a message is an event of this type."""
    return lambda said: said.get("event") == kind


def numbers_of(front: Front) -> str:
    """What Prometheus gets of the realtime process."""
    scraper = Client(front.url)
    token = front.settings.scrape_token.get_secret_value()
    scraper.session.headers["Authorization"] = f"Bearer {token}"
    return scraper.request("GET", "/metrics/realtime").text
