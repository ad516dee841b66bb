"""Redis's copies of who is signed in. Postgres is the truth; a lost Redis revives nobody.

Three things keep a copy from outliving its session:

- ending a session puts a mark in place of its copy, and a copy is only ever put where nothing
  is, so a reader that was slower than the logout cannot bring it back;
- if Redis was gone at the logout, the mark is missing: so copies are believed only while the
  `swept` key stands, which lives for two seconds, whatever Redis goes through meanwhile;
- whoever finds it missing reads the ended sessions from Postgres, marks them, and sets it again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import orjson
from redis import Redis

from stellwerk.identity.sessions import Standing
from stellwerk.live import keys
from stellwerk.live.client import LiveClient

SWEPT_FOR_S = 2
ENDED = b"-"


@dataclass(frozen=True, slots=True)
class Copy:
    """What Redis says of a session; believe `standing` and `is_ended` only while `is_swept`."""

    standing: Standing | None = None
    is_ended: bool = False
    is_swept: bool = False
    is_reachable: bool = True


_NO_ANSWER = Copy(is_reachable=False)


class LiveSessions:
    """The copies, each kept for `ttl_s` seconds."""

    def __init__(self, client: LiveClient, *, ttl_s: int) -> None:
        self._client = client
        self._ttl_s = ttl_s

    def read(self, session_id: UUID) -> Copy:
        """The copy, in one round trip."""

        def read(redis: Redis) -> Copy:
            with redis.pipeline(transaction=False) as pipe:
                pipe.get(keys.session(session_id))
                pipe.exists(keys.SESSIONS_SWEPT)
                held, swept = pipe.execute()
            return _copy(held, is_swept=bool(swept))

        return self._client.ask(read, otherwise=_NO_ANSWER)

    def fill(self, session_id: UUID, standing: Standing) -> None:
        """Put a copy where nothing is."""
        value = orjson.dumps([standing.user_id, standing.role])
        self._client.ask(
            lambda redis: redis.set(keys.session(session_id), value, ex=self._ttl_s, nx=True),
            otherwise=None,
        )

    def end(self, session_ids: Sequence[UUID]) -> None:
        """Put the mark of an ended session in place of each copy."""
        self._mark(session_ids, swept=False)

    def sweep(self, ended: Sequence[UUID]) -> None:
        """The same for all that Postgres knows to be ended; copies are believed again."""
        self._mark(ended, swept=True)

    def _mark(self, session_ids: Sequence[UUID], *, swept: bool) -> None:
        def mark(redis: Redis) -> None:
            with redis.pipeline(transaction=False) as pipe:
                for session_id in session_ids:
                    pipe.set(keys.session(session_id), ENDED, ex=self._ttl_s)
                if swept:
                    pipe.set(keys.SESSIONS_SWEPT, "1", ex=SWEPT_FOR_S)
                pipe.execute()

        self._client.ask(mark, otherwise=None)


def _copy(held: bytes | None, *, is_swept: bool) -> Copy:
    if held is None or held == ENDED:
        return Copy(is_ended=held is not None, is_swept=is_swept)
    user_id, role = orjson.loads(held)
    return Copy(Standing(user_id, role), is_swept=is_swept)
