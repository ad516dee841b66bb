"""Which workers are there: each says so every few seconds, and is forgotten when it does not."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import orjson
from redis import Redis

from stellwerk.live import keys
from stellwerk.live.client import LiveClient

FORGOTTEN_AFTER_S = 15

# KEYS details, times; ARGV name, details. All times are Redis's.
_TELL = """
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], redis.call('TIME')[1], ARGV[1])
"""
# KEYS details, times; ARGV how long a worker may be silent
_PRESENT = """
local silent = redis.call('TIME')[1] - ARGV[1]
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', silent)) do
  redis.call('HDEL', KEYS[1], name)
  redis.call('ZREM', KEYS[2], name)
end
return redis.call('HGETALL', KEYS[1])
"""
_KEYS = [keys.WORKERS, keys.WORKERS_SEEN]


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker that is there; `ended_last_minute`: completed and failed jobs, by queue."""

    name: str
    slots: int
    queues: tuple[str, ...]
    ended_last_minute: Mapping[str, int]


class Workers:
    """The workers that said they are there."""

    def __init__(self, client: LiveClient) -> None:
        self._client = client
        self._tell = client.redis.register_script(_TELL)
        self._present = client.redis.register_script(_PRESENT)

    def tell(self, worker: Worker) -> None:
        """Say that it is there; a Redis that is gone hears nothing."""
        details = orjson.dumps(asdict(worker))
        self._client.ask(
            lambda redis: self._tell(keys=_KEYS, args=[worker.name, details], client=redis),
            otherwise=None,
        )

    def withdraw(self, name: str) -> None:
        """Say that it ends."""

        def forget(redis: Redis) -> None:
            redis.hdel(keys.WORKERS, name)
            redis.zrem(keys.WORKERS_SEEN, name)

        self._client.ask(forget, otherwise=None)

    def present(self) -> list[Worker] | None:
        """Those that are there, by name; None where Redis does not answer."""
        found = self._client.ask(self._ask_present, otherwise=None)
        if found is None:
            return None
        return sorted((_worker(details) for details in found), key=lambda worker: worker.name)

    def _ask_present(self, redis: Redis) -> list[bytes]:
        flat = self._present(keys=_KEYS, args=[FORGOTTEN_AFTER_S], client=redis)
        return list(flat[1::2])


def _worker(details: bytes) -> Worker:
    fields: dict[str, Any] = orjson.loads(details)
    return Worker(**{**fields, "queues": tuple(fields["queues"])})
