"""Everybody at once through the public port: 500 users, 1,000 requests a second."""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
import requests

from benchmarks import ledger
from benchmarks.exchange import Request
from benchmarks.paced import PATIENCE_S, paced
from benchmarks.people import Person, sign_in
from benchmarks.sections.memory import OUR_PROCESSES
from benchmarks.sizes import Sizes
from benchmarks.stage import Stage

API = "/api/v1"
# Videos are accepted and wait: making them is measured by the demo, not here.
PROCESSES = tuple(name for name in OUR_PROCESSES if name != "worker_media")
TARGETS_MS = {"sign in": 100, "read and write": 50, "submit a video": 150}  # 95th percentile
SHARES = {  # of a thousand requests
    "poll": 600,
    "submit a job": 150,
    "list jobs": 100,
    "read and write": 138,
    "submit a video": 10,
    "sign in": 2,
}
PASSWORD = "correct horse battery staple"  # noqa: S105  of a throw-away account
NICHE = b'{"niche": "railways"}'
BEFORE_S = 3.0
AT_A_TIME = 100


def measure(stage: Stage, sizes: Sizes) -> dict[str, Any]:
    """Percentiles by kind of request."""
    ledger.clear(stage)
    ledger.settle(stage)
    with stage.running(*PROCESSES):
        account = _registered(stage)
        people = sign_in(stage, sizes.edge_users)
        users = [User(stage, person, account, seed) for seed, person in enumerate(people)]
        streams = [user.requests() for user in users]
        paced(stage.edge_url, streams, per_s=sizes.edge_per_s, seconds=BEFORE_S)
        figures = paced(
            stage.edge_url, streams, per_s=sizes.edge_per_s, seconds=sizes.edge_s
        ).figures()
    ledger.clear(stage)
    return {"users": sizes.edge_users, "wanted_per_s": sizes.edge_per_s, **figures}


def lines(figures: Mapping[str, Any]) -> list[str]:
    """One table, and what does not stand in it."""
    failed = sum(figures["failed"].values())
    due = figures["count"] + failed + figures["not_sent"]
    asked = f"{figures['users']} users who ask {figures['wanted_per_s']:,} requests/s"
    carried = f"{figures['per_s']:,.0f} carried"
    told = (
        f"Of {due:,} requests that were due, {failed:,} were refused, and {figures['not_sent']:,} "
        f"were never sent: {PATIENCE_S:g} s after their moment their user still waited for an "
        f"answer to an earlier one. The client took {figures['client_cores']:.2f} of a core."
    )
    return [
        f"| {asked}, {carried}; ms | answered | p50 | p95 | p99 | target p95 |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        *(
            f"| {kind} | {found['count']:,} | {found['p50_ms']:.1f} | {found['p95_ms']:.1f} "
            f"| {found['p99_ms']:.1f} | {TARGETS_MS.get(kind, '')} |"
            for kind, found in sorted(figures["kinds"].items())
        ),
        "",
        told,
    ]


class User:
    """Somebody with a channel and a job, who goes on and on."""

    def __init__(self, stage: Stage, person: Person, account: bytes, seed: int) -> None:
        self._headers = person.headers
        self._account = account
        self._random = random.Random(seed)  # noqa: S311  the same mix in every run
        answer = self._post(stage, "/channels", {"name": "Signals"})
        poll = str(self._post(stage, "/jobs", {"operation": ledger.OPERATION})["status_url"])
        self._requests = self._made(poll, answer["id"])

    def requests(self) -> Iterator[Request]:
        """Without end, in the shares above."""
        kinds, weights = list(SHARES), list(SHARES.values())
        while True:
            for kind in self._random.choices(kinds, weights, k=AT_A_TIME):
                yield self._random.choice(self._requests[kind])

    def _made(self, poll: str, channel_id: int) -> Mapping[str, Sequence[Request]]:
        """Of each kind what there is of it; making one each time would cost the cores we share."""
        channel = f"{API}/channels/{channel_id}"
        job = {"operation": ledger.OPERATION, "payload": {"message": "hello"}}
        video = {"channel_id": channel_id, "topic": "signal boxes", "target_duration": 15}
        reads = [("GET", path, b"") for path in (channel, f"{API}/channels", f"{API}/users/me")]
        asked = {
            "poll": [("GET", poll, b"")],
            "submit a job": [("POST", f"{API}/jobs", orjson.dumps(job))],
            "list jobs": [("GET", f"{API}/jobs?limit=20", b"")],
            "read and write": [*reads * 4, *[("PATCH", channel, NICHE)] * 3],  # one in five writes
            "submit a video": [("POST", f"{API}/videos/generate", orjson.dumps(video))],
            "sign in": [("POST", f"{API}/auth/login", self._account)],
        }
        return {
            kind: [Request(method, path, self._headers, body, kind) for method, path, body in one]
            for kind, one in asked.items()
        }

    def _post(self, stage: Stage, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        url = f"{stage.edge_url}{API}{path}"
        answer = requests.post(url, data=orjson.dumps(body), headers=self._headers, timeout=10)
        answer.raise_for_status()
        return dict(answer.json())


def _registered(stage: Stage) -> bytes:
    """The body that signs in a new account."""
    account = {"email": "bench@example.com", "password": PASSWORD}
    answer = requests.post(f"{stage.edge_url}{API}/auth/register", json=account, timeout=10)
    answer.raise_for_status()
    return orjson.dumps(account)
