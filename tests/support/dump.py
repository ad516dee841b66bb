"""All that the servers hold, as somebody would find it who got hold of their disks."""

import io
from collections.abc import Callable
from typing import Any, cast

import psycopg2.extensions
from redis import Redis

from stellwerk.bootstrap import Platform


def dumped(platform: Platform) -> bytes:
    """Every row of every table of ours, as COPY writes them."""
    lent = platform.engine.raw_connection()
    found, connection = io.BytesIO(), cast("psycopg2.extensions.connection", lent.dbapi_connection)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            for (table,) in cursor.fetchall():
                cursor.copy_expert(f'COPY "{table}" TO STDOUT', found)
    finally:
        lent.close()
    return found.getvalue()


def dumped_redis(platform: Platform) -> bytes:
    """Every key of Redis with what it holds."""
    redis: Redis = platform.live_client.redis
    return b"\n".join(_held(redis, key) for key in redis.keys("*"))


def _held(redis: Redis, key: Any) -> bytes:
    readers: dict[str, Callable[[Any], Any]] = {
        "string": redis.get,
        "hash": redis.hgetall,
        "list": lambda name: redis.lrange(name, 0, -1),
        "set": redis.smembers,
        "zset": lambda name: redis.zrange(name, 0, -1, withscores=True),
        "stream": redis.xrange,
    }
    kind = redis.type(key)
    named = kind.decode() if isinstance(kind, bytes) else str(kind)
    return repr((key, readers[named](key))).encode()
