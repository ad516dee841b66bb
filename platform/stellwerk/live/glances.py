"""What a poll needs of Redis, in one round trip: who asks, the job, and how full the queues are."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from stellwerk.live import keys
from stellwerk.live.client import LiveClient
from stellwerk.live.depths import depths_in
from stellwerk.live.limits import COUNTED, Counting
from stellwerk.live.scripts import Argument, Script
from stellwerk.live.sessions import Copy, Seen
from stellwerk.live.status import Shown, shown_of

# KEYS job, session or API key, swept, depths, what counts (or nothing); else as in sessions.py.
_GLANCE = (
    COUNTED
    + """
local held = redis.call('MGET', unpack(KEYS, 2))
local left, wait = counted(held[1], held[2], held[4], KEYS[5])
local job = redis.call('HMGET', KEYS[1], 'v', 'o', 'd')
return {left == -2 and held[1], held[2], left, wait, held[3], job[1], job[2], job[3]}
"""
)


class Glance(NamedTuple):
    """Redis's copy of the session or key, the job as it is shown, and due jobs by queue.

    The copy has what was counted of the request.
    """

    copy: Copy
    shown: Shown | None
    held_depths: bytes | None

    @property
    def depths(self) -> Mapping[str, int]:
        """Due jobs by queue."""
        return depths_in(self.held_depths)


class Glances:
    """The script; any number of threads may use it."""

    def __init__(self, client: LiveClient, seen: Seen) -> None:
        self._script = Script(client, _GLANCE)
        self._seen = seen

    def take(self, credential_key: str, job_id: str, counting: Counting | None) -> Glance | None:
        """Look at the key of a session or an API key, and at a job; None without Redis.

        `counting`: what the request counts as, where that is known and it counts.
        """
        status = keys.job_status(job_id)
        names: tuple[str, ...] = (status, credential_key, keys.SESSIONS_SWEPT, keys.QUEUE_DEPTHS)
        arguments: Sequence[Argument] = ()
        if counting:
            names, arguments = names + counting.names, counting.arguments
        reply = self._script.call(names, arguments)
        if reply is None:
            return None
        copy = self._seen.read(credential_key, counting, reply[:4])
        return Glance(copy, shown_of(*reply[5:]), reply[4])
