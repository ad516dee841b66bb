"""A Redis client that gives up quickly and then leaves Redis alone for a moment."""

from collections.abc import Callable
from threading import Event
from typing import TypeVar

import structlog
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError, RedisError  # noqa: A004  redis-py's name
from redis.retry import Retry

from stellwerk.gate import Gate
from stellwerk.live.lines import Lines

Answer = TypeVar("Answer")
log = structlog.get_logger()


class LiveClient:
    """Redis for live status: whatever it cannot answer, Postgres can."""

    def __init__(self, url: str, *, timeout_s: float, gate: Gate, pool_size: int = 16) -> None:
        self.redis: Redis = Redis.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            socket_keepalive=True,
            health_check_interval=25,
            retry=Retry(NoBackoff(), 1, (ConnectionError,)),  # an idle one may have been closed
            max_connections=pool_size,
            protocol=2,
        )
        self.lines = Lines(self.redis)
        self.closed = Event()
        self._gate = gate

    def ask(self, question: Callable[[Redis], Answer], *, otherwise: Answer) -> Answer:
        """The answer, or `otherwise` when Redis fails or failed a moment ago."""
        if not self._gate.is_open():
            return otherwise
        try:
            answer = question(self.redis)
        except (RedisError, OSError) as exc:
            self._gate.trip()
            log.warning("redis does not answer", reason=str(exc) or type(exc).__name__)
            return otherwise
        self._gate.recover()
        return answer

    def is_paused(self) -> bool:
        """Whether Redis failed a moment ago, so that asking is of no use yet."""
        return self._gate.is_shut()

    @property
    def pause_s(self) -> float:
        """How long a failed Redis is left alone."""
        return self._gate.pause_s

    def is_reachable(self) -> bool:
        """Ping."""
        return bool(self.ask(lambda redis: redis.ping(), otherwise=False))

    def close(self) -> None:
        """Give connections back, and let those who wait for Redis end."""
        self.closed.set()
        self.redis.close()
