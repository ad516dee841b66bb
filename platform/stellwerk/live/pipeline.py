"""Several commands in one round trip."""

from collections.abc import Sequence

import hiredis
from redis.exceptions import ResponseError

from stellwerk.live.lines import Command, Lines, Reply


def ask(lines: Lines, commands: Sequence[Command]) -> list[Reply]:
    """The replies, in order; raises ResponseError where any of them is an error."""
    replies = lines.ask(commands)
    for reply in replies:
        if isinstance(reply, hiredis.ReplyError):
            raise ResponseError(str(reply))
    return replies


def send(lines: Lines, commands: Sequence[Command]) -> bool:
    """Send them in order; True where the server does not know a script that one of them names.

    Any other error is raised once all of them were sent.
    """
    errors = [reply for reply in lines.ask(commands) if isinstance(reply, hiredis.ReplyError)]
    for error in errors:
        if not str(error).startswith("NOSCRIPT"):
            raise ResponseError(str(error))
    return bool(errors)
