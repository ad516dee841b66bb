"""Live status of jobs in Redis, fenced by version, with an event stream beside each."""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b, sha1
from typing import NamedTuple
from uuid import UUID

import orjson
from redis import Redis

from stellwerk.jobs.ports import Change, Event
from stellwerk.live import keys
from stellwerk.live.client import LiveClient
from stellwerk.live.lines import Command, Reply
from stellwerk.live.owed import Argument, Call, Owed
from stellwerk.live.pipeline import ask, send

EVENTS_TTL_S = 3600
LOOKS = 1000  # jobs looked at in one trip

# KEYS status, events; ARGV channel, version, owner, document, ttl, id, type, data, kept,
# events_ttl, job, when the document stops being true (ms since 1970, or empty), whose jobs it is
# told among
_SHOW = """
local held = tonumber(redis.call('HGET', KEYS[1], 'v'))
local version = tonumber(ARGV[2])
if ARGV[4] ~= '' and (not held or held <= version) then
  redis.call('HSET', KEYS[1], 'v', ARGV[2], 'o', ARGV[3], 'd', ARGV[4])
  redis.call('EXPIRE', KEYS[1], ARGV[5])
  if ARGV[12] ~= '' then redis.call('PEXPIREAT', KEYS[1], ARGV[12]) end
end
if ARGV[6] == '' then return 0 end
local added = redis.pcall('XADD', KEYS[2], 'MAXLEN', '~', ARGV[9], ARGV[6],
  'type', ARGV[7], 'data', ARGV[8])
if type(added) == 'table' and added.err then return 0 end
redis.call('EXPIRE', KEYS[2], ARGV[10])
local owner = ARGV[13]
if owner == '' then owner = '-' end
redis.call('PUBLISH', ARGV[1],
  ARGV[11] .. ' ' .. owner .. ' ' .. ARGV[6] .. ' ' .. ARGV[7] .. ' ' .. ARGV[8])
return 1
"""
_SHOW_SHA = sha1(_SHOW.encode(), usedforsecurity=False).hexdigest()  # how Redis names scripts


# How every document begins (jobs.queries.document), so that nobody has to parse it for this.
_HEAD = re.compile(
    rb'\{"job_id":"[^"]+","operation":"(?P<operation>[^"]+)","status":"(?P<status>[a-z]+)",'
    rb'"queue":"(?P<queue>[^"]+)"'
)


class Head(NamedTuple):
    """The names at a document's beginning."""

    operation: str
    status: str
    queue: str


@dataclass(frozen=True, slots=True)
class Shown:
    """What Redis holds of a job: the document's bytes, whose it is, and its version."""

    version: int
    owner_id: int | None
    document: bytes

    @property
    def tag(self) -> str:
        """Another one for every other document: times pass and estimates move within a version."""
        return f"{self.version}-{blake2b(self.document, digest_size=8).hexdigest()}"

    @property
    def head(self) -> Head | None:
        """The document's first names; None where an older release wrote it."""
        found = _HEAD.match(self.document)
        return Head(*(part.decode() for part in found.groups())) if found else None


class LiveStatus:
    """The board of `jobs.ports`, on Redis."""

    def __init__(self, client: LiveClient, *, ttl_s: int, events_kept: int) -> None:
        self._client = client
        self._ttl_s = ttl_s
        self._events_kept = events_kept
        self._owed = Owed(self._run, every_s=client.pause_s, closed=client.closed)

    def show(self, changes: Sequence[Change], *, also: Sequence[Command] = ()) -> bool:
        """One script per change, all in one round trip; newer versions shown already win.

        `also`: other commands for the same server, sent after them. False where Redis did not
        answer: the changes are shown later, the other commands are not sent again.
        """
        calls = [self._of_change(change, with_event=True) for change in changes]
        if not (calls or also) or self._run(calls, also):
            return True
        self._owed.add(calls)
        return False

    def fill(self, change: Change) -> None:
        """Put back what had expired, without an event."""
        self._run([self._of_change(change, with_event=False)])

    def emit(self, event: Event, owner_id: int | None) -> None:
        """Append an event that changes no document."""
        data = orjson.dumps(event.data)
        status: list[Argument] = [
            keys.EVENTS_CHANNEL,
            event.version,
            _owner(owner_id),
            b"",
            self._ttl_s,
        ]
        tail: list[Argument] = [
            event.id,
            event.type,
            data,
            self._events_kept,
            EVENTS_TTL_S,
            str(event.job_id),
            "",
            _owner(owner_id),
        ]
        self._run([(event.job_id, [*status, *tail])])

    def keep(self, job_ids: Sequence[UUID]) -> None:
        """Push the expiry of running jobs away."""

        def expire(redis: Redis) -> None:
            with redis.pipeline(transaction=False) as pipe:
                for job_id in job_ids:
                    pipe.expire(keys.job_status(job_id), self._ttl_s)
                    pipe.expire(keys.job_events(job_id), EVENTS_TTL_S)
                pipe.execute()

        self._client.ask(expire, otherwise=None)

    def forget(self, job_ids: Sequence[UUID]) -> bool:
        """Remove what is shown of jobs, and their events; False where Redis did not answer."""

        def remove(redis: Redis) -> bool:
            with redis.pipeline(transaction=False) as pipe:
                for job_id in job_ids:
                    pipe.unlink(keys.job_status(job_id), keys.job_events(job_id))
                pipe.execute()
            return True

        return self._client.ask(remove, otherwise=False)

    def read(self, job_id: UUID | str) -> Shown | None:
        """What is shown; None where Redis does not know or does not answer."""
        wanted = ["v", "o", "d"]
        held = self._client.ask(
            lambda redis: redis.hmget(keys.job_status(job_id), wanted), otherwise=None
        )
        return shown_of(*held) if held else None

    def behind(self, versions: Mapping[UUID, int]) -> set[UUID] | None:
        """Those of these jobs that are shown, but in an older version; None without Redis."""
        if not versions:
            return set()
        looks: list[Command] = [("HGET", keys.job_status(job_id), "v") for job_id in versions]
        slices = [looks[start : start + LOOKS] for start in range(0, len(looks), LOOKS)]
        held = [reply for some in slices for reply in self._ask(some)]
        if len(held) < len(looks):
            return None
        found = zip(versions.items(), held, strict=True)
        return {job_id for (job_id, version), shown in found if shown and int(shown) < version}

    def _ask(self, commands: Sequence[Command]) -> list[Reply]:
        """The replies; none where Redis does not answer, or not that."""
        nothing: list[Reply] = []
        return self._client.ask(lambda _: ask(self._client.lines, commands), otherwise=nothing)

    def _of_change(self, change: Change, *, with_event: bool) -> Call:
        document = orjson.dumps(change.document)
        status: list[Argument] = [
            keys.EVENTS_CHANNEL,
            change.version,
            _owner(change.owner_id),
            document,
            self._ttl_s,
        ]
        event_id = f"{change.version}-{change.sequence}" if with_event else ""
        kind = "end" if change.is_final else "status"
        tail: list[Argument] = [
            event_id,
            kind,
            document,
            self._events_kept,
            EVENTS_TTL_S,
            str(change.job_id),
            self._end_of_truth(change),
            "" if change.is_internal else _owner(change.owner_id),
        ]
        return change.job_id, [*status, *tail]

    def _end_of_truth(self, change: Change) -> Argument:
        """When the copy has to be gone, where that is before its time is over anyway."""
        if change.true_until is None:
            return ""
        moment_s = change.true_until.timestamp()
        return int(moment_s * 1000) if moment_s < time.time() + self._ttl_s else ""

    def _run(self, calls: Sequence[Call], also: Sequence[Command] = ()) -> bool:
        """One trip; a second one where this server has never seen the script."""
        shows = [_command(*call) for call in calls]

        def run(redis: Redis) -> bool:
            unknown = send(self._client.lines, [*shows, *also])
            if unknown:
                redis.script_load(_SHOW)
                send(self._client.lines, shows)
            return True

        return self._client.ask(run, otherwise=False)


def _command(job_id: UUID, arguments: Sequence[Argument]) -> Command:
    both = (keys.job_status(job_id), keys.job_events(job_id))
    return ("EVALSHA", _SHOW_SHA, 2, *both, *arguments)


def shown_of(
    version: bytes | str | None, owner: bytes | str | None, document: bytes | str | None
) -> Shown | None:
    """The fields of a job's hash; None where there is no document in it."""
    if version is None or document is None:
        return None
    raw = document if isinstance(document, bytes) else document.encode()
    return Shown(int(version), int(owner) if owner else None, raw)


def _owner(owner_id: int | None) -> str:
    return "" if owner_id is None else str(owner_id)
