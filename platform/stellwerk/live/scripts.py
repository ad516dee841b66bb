"""Lua scripts for the hot path."""

import hashlib
from collections.abc import Sequence
from typing import Any

import hiredis
from redis.exceptions import ResponseError

from stellwerk.live.client import LiveClient

Argument = bytes | str | int


class Script:
    """One script; its calls take keys and arguments and give the reply."""

    def __init__(self, client: LiveClient, source: str) -> None:
        self._client = client
        self._source = source
        self._sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()

    def call(self, names: Sequence[str], arguments: Sequence[Argument] = ()) -> Any:
        """The reply, or None when Redis fails or failed a moment ago."""
        return self._client.ask(lambda _: self._call(names, arguments), otherwise=None)

    def _call(self, names: Sequence[str], arguments: Sequence[Argument]) -> Any:
        ask = self._client.lines.ask
        (reply,) = ask([("EVALSHA", self._sha, len(names), *names, *arguments)])
        if isinstance(reply, hiredis.ReplyError):  # Redis does not know the script, or not any more
            (reply,) = ask([("EVAL", self._source, len(names), *names, *arguments)])
        if isinstance(reply, hiredis.ReplyError):
            raise ResponseError(str(reply))
        return reply
