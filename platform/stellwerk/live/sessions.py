"""Redis's copies of who is signed in. Postgres is the truth; a lost Redis revives nobody.

Three things keep a copy from outliving its session:

- ending a session puts a mark in place of its copy, and a copy is only ever put where nothing
  is, so a reader that was slower than the logout cannot bring it back;
- if Redis was gone at the logout, the mark is missing: so copies are believed only while the
  `swept` key stands, which lives for a second, whatever Redis goes through meanwhile;
- whoever finds it missing reads the ended sessions from Postgres, marks them, and sets it again.

API keys are copied in the same way, for a minute. The mark of a key says less: its copy is not to
be believed, and Postgres has to be asked. Copies of sessions whose user was given another role or
tier are taken away, to be made anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

import orjson
from redis import Redis

from stellwerk.identity.sessions import KeyStanding, Standing
from stellwerk.live import keys
from stellwerk.live.client import LiveClient
from stellwerk.live.limits import COUNTED, Count, count_of
from stellwerk.live.scripts import Argument, Script

SWEPT_FOR_S = 1  # not longer than a failed Redis is left alone
KEY_COPY_S = 60  # how long the copy of an API key, or its mark, is kept
ENDED = b"-"
COPIES_READ = 10_000  # are remembered parsed, by their text

# KEYS session or API key, swept. ARGV as in limits.py.
_COPY = (
    COUNTED
    + """
local held = redis.call('MGET', KEYS[1], KEYS[2])
local left, wait = counted(held[1], held[2])
return {held[1], held[2], left, wait}
"""
)
# KEYS sessions; ARGV the mark, which stays
_TAKE_AWAY = """
for _, name in ipairs(KEYS) do
  local held = redis.call('GET', name)
  if held and held ~= ARGV[1] then redis.call('DEL', name) end
end
"""


@dataclass(frozen=True, slots=True)
class Copy:
    """What Redis holds of a session or a key; believe it only while `is_swept`.

    `count`: of the request that it was looked up for, where that counts and it can be believed.
    """

    held: bytes | None = None
    is_swept: bool = False
    is_reachable: bool = True
    count: Count | None = None

    @property
    def is_ended(self) -> bool:
        """Whether the mark stands in the copy's place."""
        return self.held == ENDED

    @property
    def standing(self) -> Standing | None:
        """The copy of a session."""
        return None if self.held is None else _standing(self.held)

    @property
    def key_standing(self) -> KeyStanding | None:
        """The copy of an API key."""
        return None if self.held is None else _key_standing(self.held)


@lru_cache(COPIES_READ)
def _standing(held: bytes) -> Standing | None:
    return None if held == ENDED else Standing(*orjson.loads(held))  # as `fill` wrote it


@lru_cache(COPIES_READ)
def _key_standing(held: bytes) -> KeyStanding | None:
    if held == ENDED:
        return None
    user_id, role, tier, key_id, scopes, expires_at = orjson.loads(held)
    return KeyStanding(user_id, role, tier, key_id, tuple(scopes), expires_at)


_NO_ANSWER = Copy(is_reachable=False)


class LiveSessions:
    """The copies; those of sessions are kept for `ttl_s` seconds."""

    def __init__(self, client: LiveClient, *, ttl_s: int) -> None:
        self._client = client
        self._ttl_s = ttl_s
        self._script = Script(client, _COPY)
        self._take_away = client.redis.register_script(_TAKE_AWAY)

    def read(self, session_id: UUID) -> Copy:
        """The copy of a session, in one round trip."""
        return self.copy(keys.session(session_id))

    def read_key(self, key_hash: str) -> Copy:
        """The copy of an API key, in one round trip."""
        return self.copy(keys.api_key(key_hash))

    def copy(self, key: str, counting: Sequence[Argument] = ()) -> Copy:
        """What stands at the key of a session or an API key.

        `counting`: what the request counts as, or nothing.
        """
        reply = self._script.call((key, keys.SESSIONS_SWEPT), counting)
        if reply is None:
            return _NO_ANSWER
        held, swept, left, wait_us = reply
        return Copy(held, is_swept=swept is not None, count=count_of(left, wait_us))

    def fill(self, session_id: UUID, standing: Standing) -> None:
        """Put a session's copy where nothing is."""
        value: list[object] = [standing.user_id, standing.role, standing.tier]
        self._fill(keys.session(session_id), value, self._ttl_s)

    def fill_key(self, key_hash: str, found: KeyStanding) -> None:
        """Put a key's copy where nothing is."""
        of_user = [found.user_id, found.role, found.tier]
        value = [*of_user, found.key_id, found.scopes, found.expires_at]
        self._fill(keys.api_key(key_hash), value, KEY_COPY_S)

    def end(self, session_ids: Sequence[UUID]) -> bool:
        """Put the mark of an ended session in place of each copy; False without Redis."""
        return self._mark(session_ids, (), swept=False)

    def end_keys(self, key_hashes: Sequence[str]) -> bool:
        """Put the mark in place of each key's copy; False without Redis."""
        return self._mark((), key_hashes, swept=False)

    def sweep(
        self, ended: Sequence[UUID], changed: Sequence[UUID], changed_keys: Sequence[str]
    ) -> None:
        """The same for all that Postgres knows to be ended; copies are believed again.

        Those of `changed` sessions are taken away.
        """
        names = [keys.session(session_id) for session_id in changed]
        if names:
            self._client.ask(
                lambda redis: self._take_away(keys=names, args=[ENDED], client=redis),
                otherwise=None,
            )
        self._mark(ended, changed_keys, swept=True)

    def _fill(self, key: str, value: list[object], ttl_s: int) -> None:
        text = orjson.dumps(value)
        self._client.ask(lambda redis: redis.set(key, text, ex=ttl_s, nx=True), otherwise=None)

    def _mark(self, session_ids: Sequence[UUID], hashes: Sequence[str], *, swept: bool) -> bool:
        def mark(redis: Redis) -> bool:
            with redis.pipeline(transaction=False) as pipe:
                for session_id in session_ids:
                    pipe.set(keys.session(session_id), ENDED, ex=self._ttl_s)
                for key_hash in hashes:
                    pipe.set(keys.api_key(key_hash), ENDED, ex=KEY_COPY_S)
                if swept:
                    pipe.set(keys.SESSIONS_SWEPT, "1", ex=SWEPT_FOR_S)
                pipe.execute()
            return True

        return self._client.ask(mark, otherwise=False)
