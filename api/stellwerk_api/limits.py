"""How often somebody may ask: counted in Redis, refused with 429, told by headers on every answer.

The headers are those of draft-ietf-httpapi-ratelimit-headers; `t` says after how many seconds
there is one request more than `r`.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Any, NamedTuple, cast

from flask import g

from stellwerk.bootstrap import Platform
from stellwerk.configuration.entries import FAIL_CLOSED, LOGIN_RATE, RATES
from stellwerk.configuration.rates import ByTier, Rate, RateClass, rate_of
from stellwerk.errors import InvalidInput, LimitReached, Unavailable
from stellwerk.identity.caller import Caller
from stellwerk.live import keys
from stellwerk.live.limits import REFUSED, Count, Limits
from stellwerk.live.scripts import Argument
from stellwerk_api.limit_headers import POLICY, REMAINING
from stellwerk_api.local_limits import LocalLimits
from stellwerk_api.metrics import count_limited, count_uncounted

COUNTED = "stellwerk.counted"  # in the WSGI environment: the tally of what was counted already
IPV6_PREFIX = 64  # bits that one customer of a provider has, as a rule


class Policy(NamedTuple):
    """A rate that holds for somebody."""

    rate_class: RateClass
    rate: Rate

    def __str__(self) -> str:
        return f'"{self.rate_class}";q={self.rate.requests};w={self.rate.window_s}'


class Tally(NamedTuple):
    """What was counted of a request."""

    policy: Policy
    policy_text: str
    left: int  # -1: it is refused
    wait_s: int  # until there is one more

    def require(self) -> None:
        """Raise LimitReached where it is refused."""
        if self.left != REFUSED:
            return
        rate_class, rate = self.policy
        count_limited(rate_class)
        raise LimitReached(
            f"The limit {rate_class!r} is {rate.requests} in {rate.window_s} s.",
            details={
                "policy": rate_class.value,
                "limit": rate.requests,
                "window_s": rate.window_s,
            },
            retry_after_s=self.wait_s,
        )


@dataclass(slots=True)
class _Table:
    """The configured rates, as they are needed; made anew when one of them changes."""

    values: Mapping[str, Any]
    counting: dict[RateClass, Sequence[Argument]] = field(default_factory=dict)
    policies: dict[tuple[RateClass, str], tuple[Policy, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for rate_class, entry in RATES.items():
            by_tier: ByTier = self.values[entry.name]
            counting: list[Argument] = [keys.rate(rate_class, "")]
            for tier, text in by_tier:
                rate = rate_of(text)
                counting += [tier, rate.interval_us, rate.window_us]
                self._add(rate_class, tier, rate)
            self.counting[rate_class] = tuple(counting)
        self._add(RateClass.LOGIN, "", rate_of(self.values[LOGIN_RATE.name]))

    def _add(self, rate_class: RateClass, tier: str, rate: Rate) -> None:
        policy = Policy(rate_class, rate)
        self.policies[rate_class, tier] = policy, str(policy)


class Limiter:
    """Counts this process's requests."""

    def __init__(self, platform: Platform) -> None:
        self._configuration = platform.configuration
        self._marks = platform.runtime.vault.marks
        self._shared = Limits(platform.live_client)
        self._local = LocalLimits(processes=platform.settings.web_workers)
        self._made: _Table | None = None

    def counting(self, rate_class: RateClass) -> Sequence[Argument]:
        """What a script that looks up who asks needs to count the request, too."""
        return self._table().counting[rate_class]

    def tally(self, rate_class: RateClass, tier: str, count: Count) -> Tally:
        """What was counted, as it is told."""
        policy, text = self._table().policies[rate_class, tier]
        return Tally(policy, text, count.left, math.ceil(count.wait_us / 1_000_000))

    def count(self, rate_class: RateClass, caller: Caller, cost: int = 1) -> Tally | None:
        """Count a caller's request by itself; None where Redis cannot, and it may pass.

        Raises InvalidInput for more than there is ever, and Unavailable.
        """
        policy, _ = self._table().policies[rate_class, caller.tier]
        if cost > policy.rate.requests:
            message = f"The limit {rate_class!r} never allows {cost} at once."
            raise InvalidInput(message, details={"limit": policy.rate.requests})
        count = self._take([keys.rate(rate_class, caller.user_id)], policy, cost)
        return count and self.tally(rate_class, caller.tier, count)

    def count_sign_in(self, route: str, email: str, remote: str | None) -> Tally | None:
        """Count a try by the address that signs in (or none) and by where it comes from."""
        policy, _ = self._table().policies[RateClass.LOGIN, ""]
        who = [f"from:{_network(remote)}"] + ([f"as:{email}"] if email else [])
        names = [keys.rate(RateClass.LOGIN, self._hidden(f"{route}:{one}")) for one in who]
        count = self._take(names, policy, 1)
        return count and self.tally(RateClass.LOGIN, "", count)

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
        POLICY: ", ".join(tally.policy_text for tally in tallies),
        REMAINING: ", ".join(
            f'"{tally.policy.rate_class}";r={max(tally.left, 0)};t={tally.wait_s}'
            for tally in tallies
        ),
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
