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
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from redis import Redis

from stellwerk.identity.sessions import KeyStanding, Standing
from stellwerk.live import keys
from stellwerk.live.client import LiveClient
from stellwerk.live.limits import COUNTED, NOT_COUNTED, Count, Counting
from stellwerk.live.scripts import Argument, Script

SWEPT_FOR_S = 1  # not longer than a failed Redis is left alone
KEY_COPY_S = 60  # how long the copy of an API key, or its mark, is kept
ENDED = b"-"
REMEMBERED = 10_000  # copies, by their keys; and as many parsed, by their text

# KEYS session or API key, swept, what counts (or nothing). ARGV as in limits.py. A copy that the
# request was counted for is known already.
_COPY = (
    COUNTED
    + """
local held = redis.call('MGET', unpack(KEYS))
local left, wait = counted(held[1], held[2], held[3], KEYS[3])
return {left == -2 and held[1], held[2], left, wait}
"""
)
# KEYS sessions; ARGV the mark, which stays
_TAKE_AWAY = """
for _, name in ipairs(KEYS) do
  local held = redis.call('GET', name)
  if held and held ~= ARGV[1] then redis.call('DEL', name) end
end
"""


class Copy(NamedTuple):
    """What Redis holds of a session or a key; believe it only while `is_swept`.

    `counted`: of the request that it was looked up for, where that counts and it can be believed.
    """

    held: bytes | None = None
    is_swept: bool = False
    is_reachable: bool = True
    counted: Count | None = None

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


@lru_cache(REMEMBERED)
def _standing(held: bytes) -> Standing | None:
    return None if held == ENDED else Standing(*orjson.loads(held))  # as `fill` wrote it


@lru_cache(REMEMBERED)
def _key_standing(held: bytes) -> KeyStanding | None:
    if held == ENDED:
        return None
    user_id, role, tier, key_id, scopes, expires_at = orjson.loads(held)
    return KeyStanding(user_id, role, tier, key_id, tuple(scopes), expires_at)


class Seen:
    """Copies as this process saw them last; whether they still stand so, only Redis knows."""

    def __init__(self) -> None:
        self._held: dict[str, bytes] = {}

    def at(self, key: str) -> bytes | None:
        """The copy at the key of a session or an API key."""
        return self._held.get(key)

    def put(self, key: str, held: bytes) -> None:
        """Remember it."""
        if len(self._held) >= REMEMBERED:
            self._held.clear()
        self._held[key] = held

    def read(self, key: str, counting: Counting | None, reply: Sequence[Any]) -> Copy:
        """What a script replied: the copy where it did not count, the mark, what it counted."""
        held, swept, left, wait_us = reply
        if counting and left != NOT_COUNTED:
            return Copy(counting.arguments[0], is_swept=True, counted=Count(left, wait_us))
        if held and held != ENDED:
            self.put(key, held)
        return Copy(held, is_swept=swept is not None)


_NO_ANSWER = Copy(is_reachable=False)


class LiveSessions:
    """The copies; those of sessions are kept for `ttl_s` seconds."""

    def __init__(self, client: LiveClient, *, ttl_s: int) -> None:
        self._client = client
        self._ttl_s = ttl_s
        self.seen = Seen()
        self._script = Script(client, _COPY)
        self._take_away = client.redis.register_script(_TAKE_AWAY)

    def read(self, session_id: UUID) -> Copy:
        """The copy of a session, in one round trip."""
        return self.copy(keys.session(session_id))

    def read_key(self, key_hash: str) -> Copy:
        """The copy of an API key, in one round trip."""
        return self.copy(keys.api_key(key_hash))

    def copy(self, key: str, counting: Counting | None = None) -> Copy:
        """What stands at the key of a session or an API key.

        `counting`: what the request counts as, where that is known and it counts.
        """
        names: tuple[str, ...] = (key, keys.SESSIONS_SWEPT)
        arguments: Sequence[Argument] = ()
        if counting:
            names, arguments = names + counting.names, counting.arguments
        reply = self._script.call(names, arguments)
        return _NO_ANSWER if reply is None else self.seen.read(key, counting, reply)

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
        self.seen.put(key, text)
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
