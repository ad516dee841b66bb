"""How often somebody may ask: counted in Redis, refused with 429, told by headers on every answer.

The headers are those of draft-ietf-httpapi-ratelimit-headers; `t` says after how many seconds
there is one request more than `r`.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Any, NamedTuple, Self, cast

import orjson
from flask import g

from stellwerk.bootstrap import Platform
from stellwerk.configuration.entries import FAIL_CLOSED, OF_NOBODY, RATES
from stellwerk.configuration.rates import ByTier, Rate, RateClass, rate_of
from stellwerk.errors import InvalidInput, LimitReached, Unavailable
from stellwerk.identity.caller import Caller
from stellwerk.live import keys
from stellwerk.live.limits import REFUSED, Count, Counting, Limits
from stellwerk.live.sessions import REMEMBERED
from stellwerk_api.limit_headers import POLICY, REMAINING
from stellwerk_api.local_limits import LocalLimits
from stellwerk_api.metrics import count_limited, count_uncounted

COUNTED = "stellwerk.counted"  # in the WSGI environment: the tally of what was counted already
IPV6_PREFIX = 64  # bits that one customer of a provider has, as a rule


class Policy(NamedTuple):
    """A rate that holds for somebody, and how answers tell of it."""

    rate_class: RateClass
    rate: Rate
    text: str
    begins: str  # of what is told of each request

    @classmethod
    def of(cls, rate_class: RateClass, rate: Rate) -> Self:
        """With its texts."""
        name = f'"{rate_class}"'
        return cls(rate_class, rate, f"{name};q={rate.requests};w={rate.window_s}", f"{name};r=")


class Tally(NamedTuple):
    """What was counted of a request."""

    policy: Policy
    left: int  # -1: it is refused
    wait_s: int  # until there is one more

    @property
    def text(self) -> str:
        """What the answer tells of it."""
        return f"{self.policy.begins}{max(self.left, 0)};t={self.wait_s}"

    def require(self) -> None:
        """Raise LimitReached where it is refused."""
        if self.left != REFUSED:
            return
        rate_class, rate = self.policy[:2]
        count_limited(rate_class)
        raise LimitReached(
            f"The limit '{rate_class}' is {rate.requests} in {rate.window_s} s.",
            details={
                "policy": rate_class.value,
                "limit": rate.requests,
                "window_s": rate.window_s,
            },
            retry_after_s=self.wait_s,
        )


class _Table:
    """The configured rates, as they are needed; made anew when one of them changes."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values
        self.policies: dict[tuple[RateClass, str], Policy] = {}
        self._countings: dict[tuple[RateClass, bytes], Counting] = {}
        for rate_class, entry in RATES.items():
            by_tier: ByTier = values[entry.name]
            for tier, text in by_tier:
                self._add(rate_class, tier, text)
        for rate_class, of_nobody in OF_NOBODY.items():
            self._add(rate_class, "", values[of_nobody.name])

    def counting(self, rate_class: RateClass, copy: bytes) -> Counting:
        """Whoever the copy says it is counts so."""
        known = self._countings.get((rate_class, copy))
        if known is not None:
            return known
        user_id, _, tier, *_ = orjson.loads(copy)  # as live.sessions wrote it
        rate = self.policies[rate_class, tier].rate
        names = (keys.rate(rate_class, user_id),)
        counting = Counting(names, (copy, rate.interval_us, rate.window_us))
        if len(self._countings) >= REMEMBERED:
            self._countings.clear()
        self._countings[rate_class, copy] = counting
        return counting

    def _add(self, rate_class: RateClass, tier: str, text: str) -> None:
        self.policies[rate_class, tier] = Policy.of(rate_class, rate_of(text))


class Limiter:
    """Counts this process's requests."""

    def __init__(self, platform: Platform) -> None:
        self._configuration = platform.configuration
        self._marks = platform.runtime.vault.marks
        self._shared = Limits(platform.live_client)
        self._local = LocalLimits(processes=platform.settings.web_workers)
        self._made: _Table | None = None

    def counting(self, rate_class: RateClass, copy: bytes | None) -> Counting | None:
        """What a script that looks up who asks needs to count the request, too.

        `copy`: Redis's of their session or key, as it was seen last; None where it never was.
        """
        return None if copy is None else self._table().counting(rate_class, copy)

    def tally(self, rate_class: RateClass, tier: str, count: Count) -> Tally:
        """What was counted, as it is told."""
        left, wait_us = count
        return Tally(self._table().policies[rate_class, tier], left, -(-wait_us // 1_000_000))

    def count(self, rate_class: RateClass, caller: Caller, cost: int = 1) -> Tally | None:
        """Count a caller's request by itself; None where Redis cannot, and it may pass.

        Raises InvalidInput for more than there is ever, and Unavailable.
        """
        policy = self._table().policies[rate_class, caller.tier]
        if cost > policy.rate.requests:
            message = f"The limit '{rate_class}' never allows {cost} at once."
            raise InvalidInput(message, details={"limit": policy.rate.requests})
        count = self._take([keys.rate(rate_class, caller.user_id)], policy, cost)
        return count and self.tally(rate_class, caller.tier, count)

    def count_place(self, rate_class: RateClass, route: str, remote: str | None) -> Tally | None:
        """Count a request that nobody is signed in for by where it comes from."""
        return self._count_hidden(rate_class, f"{route}:from:{_network(remote)}")

    def count_address(self, rate_class: RateClass, route: str, email: str) -> Tally | None:
        """Count it by the address that it names."""
        return self._count_hidden(rate_class, f"{route}:as:{email}")

    def count_proof(self, caller: Caller) -> Tally | None:
        """Count a try of somebody who is signed in to prove once more who they are."""
        return self._count_hidden(RateClass.LOGIN, f"user:{caller.user_id}")

    def count_mail(self, caller: Caller, to: str) -> Tally | None:
        """Count a mail by the caller who asks for it, and by the address that it goes to."""
        policy = self._table().policies[RateClass.MAIL, caller.tier]
        target = keys.rate(RateClass.MAIL, self._hidden(f"to:{to.strip().lower()}"))
        count = self._take([keys.rate(RateClass.MAIL, caller.user_id), target], policy, 1)
        return count and self.tally(RateClass.MAIL, caller.tier, count)

    def _count_hidden(self, rate_class: RateClass, who: str) -> Tally | None:
        policy = self._table().policies[rate_class, ""]
        count = self._take([keys.rate(rate_class, self._hidden(who))], policy, 1)
        return count and self.tally(rate_class, "", count)

    def _take(self, names: Collection[str], policy: Policy, cost: int) -> Count | None:
        count = self._shared.take(list(names), policy.rate, cost)
        if count is not None:
            return count
        is_closed = policy.rate_class in self._configuration[FAIL_CLOSED]
        wait_s = self._local.take(names, policy.rate, cost) if is_closed else 0.0
        outcome = "refused" if wait_s else ("counted_here" if is_closed else "let_through")
        count_uncounted(policy.rate_class, outcome)
        if wait_s:
            message = "Requests like this cannot be counted at this moment. Send it again later."
            raise Unavailable(message, retry_after_s=math.ceil(wait_s))
        return None

    def _hidden(self, who: str) -> str:
        """Redis is told neither addresses nor where people are."""
        return self._marks(who.encode())[0]

    def _table(self) -> _Table:
        values = self._configuration.values()
        made = self._made
        if made is None or made.values is not values:
            self._made = made = _Table(values)
        return made


def note(tally: Tally | None) -> None:
    """Tell it with the answer; raises LimitReached where it refuses."""
    if tally is not None:
        g.tallies = (*noted(), tally)
        tally.require()


def noted() -> tuple[Tally, ...]:
    """What was counted of the request being answered."""
    return cast("tuple[Tally, ...]", g.get("tallies", ()))


def headers_of(tallies: Sequence[Tally]) -> dict[str, str]:
    """What an answer says of the limits that hold for it."""
    if not tallies:
        return {}
    return {
        POLICY: ", ".join([tally.policy.text for tally in tallies]),
        REMAINING: ", ".join([tally.text for tally in tallies]),
    }


def _network(remote: str | None) -> str:
    """Where a request comes from: an IPv4 address, or the network of an IPv6 address."""
    try:
        address = ip_address(remote or "")
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped or IPv6Network((address, IPV6_PREFIX), strict=False))
    return str(address)
