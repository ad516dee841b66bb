"""What a server that speaks Sentry's protocol is sent (develop.sentry.dev/sdk/envelopes)."""

import gzip
from typing import Any

import orjson

from receiver import Received, Receiver


def dsn_of(server: Receiver, key: str = "key") -> str:
    """Where errors go."""
    return server.url.replace("://", f"://{key}@") + "/1"


def content(sent: Received) -> bytes:
    """The envelope as it was before it was packed."""
    is_packed = sent.headers.get("content-encoding") == "gzip"
    return gzip.decompress(sent.body) if is_packed else sent.body


def events(server: Receiver) -> list[dict[str, Any]]:
    """The one item of each envelope; two headers stand before it, the envelope's and its own."""
    return [orjson.loads(content(sent).splitlines()[2]) for sent in server.requests]
