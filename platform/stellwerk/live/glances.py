"""What a poll needs of Redis, in one round trip: who asks, the job, and how full the queues are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stellwerk.live import keys
from stellwerk.live.client import LiveClient
from stellwerk.live.depths import depths_in
from stellwerk.live.limits import COUNTED, count_of
from stellwerk.live.scripts import Argument, Script
from stellwerk.live.sessions import Copy
from stellwerk.live.status import Shown, shown_of

# KEYS session or API key, swept, job, depths. ARGV as in limits.py.
_GLANCE = (
    COUNTED
    + """
local held = redis.call('MGET', KEYS[1], KEYS[2], KEYS[4])
local left, wait = counted(held[1], held[2])
local job = redis.call('HMGET', KEYS[3], 'v', 'o', 'd')
return {held[1], held[2], left, wait, held[3], job[1], job[2], job[3]}
"""
)


@dataclass(frozen=True, slots=True)
class Glance:
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

    def __init__(self, client: LiveClient) -> None:
        self._script = Script(client, _GLANCE)

    def take(self, credential_key: str, job_id: str, counting: Sequence[Argument]) -> Glance | None:
        """Look at the key of a session or an API key, and at a job; None without Redis.

        `counting`: what the request counts as, or nothing.
        """
        names = (credential_key, keys.SESSIONS_SWEPT, keys.job_status(job_id), keys.QUEUE_DEPTHS)
        reply = self._script.call(names, counting)
        if reply is None:
            return None
        held, swept, left, wait_us, depths, *job = reply
        copy = Copy(held, is_swept=swept is not None, count=count_of(left, wait_us))
        return Glance(copy, shown_of(*job), depths)
