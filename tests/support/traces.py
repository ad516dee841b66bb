"""Looks for a person everywhere that the platform keeps anything."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import text

from stellwerk.bootstrap import Platform, metadata


def traces(platform: Platform, mark: str, *folders: Path) -> list[str]:
    """Where the mark is: tables, Redis keys, files below the folders."""
    found = [*_in_tables(platform, mark), *_in_redis(platform, mark.encode())]
    for folder in (platform.settings.artifacts_path, *folders):
        found += _in_files(folder, mark.encode())
    return found


def _in_tables(platform: Platform, mark: str) -> Iterator[str]:
    with platform.engine.connect() as connection:
        for name in metadata().tables:
            query = text(f"SELECT count(*) FROM {name} t WHERE t::text LIKE :mark")  # noqa: S608  our own tables
            number = connection.scalar(query, {"mark": f"%{mark}%"})
            if number:
                yield f"{number} rows of {name}"


def _in_redis(platform: Platform, mark: bytes) -> Iterator[str]:
    redis: Any = platform.live_client.redis
    for key in redis.scan_iter(count=1000):
        kept = redis.dump(key) or b""
        if mark in key or mark in kept or mark in _plain(redis, key):
            yield f"key {key!r}"


def _plain(redis: Any, key: bytes) -> bytes:
    """Its content; a dump may be compressed."""
    read = {
        b"string": lambda: redis.get(key),
        b"hash": lambda: redis.hgetall(key),
        b"list": lambda: redis.lrange(key, 0, -1),
        b"set": lambda: redis.smembers(key),
        b"zset": lambda: redis.zrange(key, 0, -1),
        b"stream": lambda: redis.xrange(key),
    }
    kind = redis.type(key)
    return repr(read[kind]()).encode() if kind in read else b""


def _in_files(folder: Path, mark: bytes) -> Iterator[str]:
    for path in folder.rglob("*"):
        if mark in str(path).encode() or (path.is_file() and mark in path.read_bytes()):
            yield str(path)
