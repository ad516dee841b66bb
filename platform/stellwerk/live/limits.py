"""Counts requests in Redis, exactly however many come at once, by GCRA.

A key holds the moment (microseconds since 1970, by Redis's clock) at which everything that was
taken will be free again. One request moves it by an interval, and is refused where that would be
more than a window ahead: so all of a rate's requests may come at once, and each is free again an
interval later. What is refused moves nothing. (GCRA: the generic cell rate algorithm, ITU-T I.371)
"""

from collections.abc import Sequence
from typing import NamedTuple

from stellwerk.configuration.rates import Rate
from stellwerk.live.client import LiveClient
from stellwerk.live.scripts import Script

NOT_COUNTED = -2
REFUSED = -1

# Both reply what is left, and after how many microseconds there is one more; -1: it is refused.
_BOTH = """
local function now_us()
  local clock = redis.call('TIME')
  return clock[1] * 1000000 + clock[2]
end
local function keep(name, now, ahead)
  redis.call('SET', name, now + ahead, 'PXAT', math.ceil((now + ahead) / 1000))
end
local function told(free, interval)
  if free < 0 then return -1, -free end
  local left = math.floor(free / interval)
  return left, (left + 1) * interval - free
end
"""
# Within a script that looks up who asks. `copy` is that of the session or key, `free_at` what the
# key `name` holds. ARGV: nothing where nothing is to be counted, else the copy for which the rest
# holds, interval and window. -2 where it was not counted. Of a window of a minute at most nothing
# goes to the append-only file or to replicas, which would cost as much as the counting itself: a
# Redis that was restarted has forgotten it.
COUNTED = (
    _BOTH
    + """
local function counted(copy, swept, free_at, name)
  if copy ~= ARGV[1] or not swept then return -2, 0 end
  local interval, window, now = tonumber(ARGV[2]), tonumber(ARGV[3]), now_us()
  local ahead = math.max((free_at or 0) - now, 0) + interval
  if ahead <= window then
    if window <= 60000000 and redis.set_repl then redis.set_repl(redis.REPL_NONE) end
    keep(name, now, ahead)
  end
  return told(window - ahead, interval)
end
"""
)
# By itself, at all of the keys or at none. ARGV: interval, window, how many at once.
_TAKE = (
    _BOTH
    + """
local interval, window, now = tonumber(ARGV[1]), tonumber(ARGV[2]), now_us()
local free, ahead = window, {}
for i, name in ipairs(KEYS) do
  ahead[i] = math.max((redis.call('GET', name) or 0) - now, 0) + interval * ARGV[3]
  free = math.min(free, window - ahead[i])
end
if free >= 0 then
  for i, name in ipairs(KEYS) do keep(name, now, ahead[i]) end
end
local left, wait = told(free, interval)
return {left, wait}
"""
)


class Count(NamedTuple):
    """What is left after a request (-1: it is refused), and how soon there is one more."""

    left: int
    wait_us: int


class Counting(NamedTuple):
    """What a script that looks up who asks is given to count the request, too."""

    names: tuple[str]  # the last of its KEYS: what counts
    arguments: tuple[bytes, int, int]  # its ARGV: the copy, interval, window


class Limits:
    """Counting by itself, where nothing else is asked of Redis; any threads may use it."""

    def __init__(self, client: LiveClient) -> None:
        self._script = Script(client, _TAKE)

    def take(self, names: Sequence[str], rate: Rate, cost: int = 1) -> Count | None:
        """Count at every key, or at none where one refuses; None without Redis."""
        reply = self._script.call(names, (rate.interval_us, rate.window_us, cost))
        return None if reply is None else Count(*reply)
