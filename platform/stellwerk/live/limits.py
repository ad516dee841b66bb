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

# All of the keys, or none. Returns what is left, and after how many microseconds there is one more;
# -1 where it is refused.
TAKEN = """
local function taken(names, interval, window, cost)
  local clock = redis.call('TIME')
  local now = clock[1] * 1000000 + clock[2]
  local free, after = window, {}
  for i, name in ipairs(names) do
    after[i] = math.max(tonumber(redis.call('GET', name) or 0), now) + interval * cost
    free = math.min(free, window - (after[i] - now))
  end
  if free < 0 then return -1, -free end
  for i, name in ipairs(names) do
    redis.call('SET', name, string.format('%.0f', after[i]),
      'PX', math.ceil((after[i] - now) / 1000))
  end
  local left = math.floor(free / interval)
  return left, (left + 1) * interval - free
end
"""
# The copy of a session or a key begins with `[user,"role","tier"`. ARGV: nothing where nothing is
# to be counted, else what the key begins with, and interval and window after the name of each tier.
COUNTED = (
    TAKEN
    + """
local function counted(copy, swept)
  if not (copy and swept and ARGV[1]) then return -2, 0 end
  local user, tier = string.match(copy, '^%[(%d+),"%a+","(%a+)"')
  for i = 2, #ARGV, 3 do
    if ARGV[i] == tier then
      return taken({ARGV[1] .. user}, tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), 1)
    end
  end
  return -2, 0
end
"""
)
_TAKE = (
    TAKEN
    + """
local left, wait = taken(KEYS, tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]))
return {left, wait}
"""
)


class Count(NamedTuple):
    """What is left after a request (-1: it is refused), and how soon there is one more."""

    left: int
    wait_us: int


class Limits:
    """Counting by itself, where nothing else is asked of Redis; any threads may use it."""

    def __init__(self, client: LiveClient) -> None:
        self._script = Script(client, _TAKE)

    def take(self, names: Sequence[str], rate: Rate, cost: int = 1) -> Count | None:
        """Count at every key, or at none where one refuses; None without Redis."""
        reply = self._script.call(names, (rate.interval_us, rate.window_us, cost))
        return None if reply is None else Count(*reply)


def count_of(left: int, wait_us: int) -> Count | None:
    """What a script replied; None where it did not count."""
    return None if left == NOT_COUNTED else Count(left, wait_us)
