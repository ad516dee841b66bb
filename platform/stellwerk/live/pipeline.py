"""Several commands in one round trip."""

from collections.abc import Sequence

from redis import Redis
from redis.exceptions import NoScriptError

Command = tuple[bytes | str | int, ...]  # a Redis command's name and arguments


def send(redis: Redis, commands: Sequence[Command]) -> bool:
    """Send them in order; True where the server does not know a script that one of them names.

    Any other error is raised once all of them were sent.
    """
    with redis.pipeline(transaction=False) as pipe:
        for command in commands:
            pipe.execute_command(*command)  # type: ignore[no-untyped-call]  # redis-py has no hints here
        answers = pipe.execute(raise_on_error=False)
    errors = [answer for answer in answers if isinstance(answer, Exception)]
    for error in errors:
        if not isinstance(error, NoScriptError):
            raise error
    return bool(errors)
