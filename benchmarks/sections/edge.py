"""Everybody at once through the public port: 500 users, 1,000 requests a second."""

import random
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import requests

from benchmarks import ledger
from benchmarks.exchange import Request
from benchmarks.paced import paced
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
BEFORE_S = 3.0


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
    """One table."""
    failed = sum(figures["failed"].values())
    load = f"{figures['users']} users, {figures['per_s']:,.0f} requests/s"
    return [
        f"| {load}, ms | requests | p50 | p95 | p99 | target p95 |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        *(
            f"| {kind} | {found['count']:,} | {found['p50_ms']:.1f} | {found['p95_ms']:.1f} "
            f"| {found['p99_ms']:.1f} | {TARGETS_MS.get(kind, '')} |"
            for kind, found in sorted(figures["kinds"].items())
        ),
        "",
        f"{failed} of {figures['count']:,} requests failed.",
    ]


class User:
    """Somebody with a channel and a job, who goes on and on."""

    def __init__(self, stage: Stage, person: Person, account: bytes, seed: int) -> None:
        self._headers = person.headers
        self._account = account
        self._random = random.Random(seed)  # noqa: S311  the same mix in every run
        answer = self._post(stage, "/channels", {"name": "Signals"})
        self._channel = f"{API}/channels/{answer['id']}"
        video = {"channel_id": answer["id"], "topic": "signal boxes", "target_duration": 15}
        self._video = orjson.dumps(video)
        self._job = orjson.dumps({"operation": ledger.OPERATION, "payload": {"message": "hello"}})
        self._poll = str(self._post(stage, "/jobs", {"operation": ledger.OPERATION})["status_url"])

    def requests(self) -> Iterator[Request]:
        """Without end, in the shares above."""
        kinds, weights = list(SHARES), list(SHARES.values())
        while True:
            yield self._request(self._random.choices(kinds, weights)[0])

    def _request(self, kind: str) -> Request:
        match kind:
            case "poll":
                return self._made("GET", self._poll, kind)
            case "submit a job":
                return self._made("POST", f"{API}/jobs", kind, self._job)
            case "list jobs":
                return self._made("GET", f"{API}/jobs?limit=20", kind)
            case "submit a video":
                return self._made("POST", f"{API}/videos/generate", kind, self._video)
            case "sign in":
                return self._made("POST", f"{API}/auth/login", kind, self._account)
        return self._read_or_write(kind)

    def _read_or_write(self, kind: str) -> Request:
        if self._random.random() < 0.2:  # noqa: PLR2004  one in five writes
            return self._made("PATCH", self._channel, kind, b'{"niche": "railways"}')
        path = self._random.choice((self._channel, f"{API}/channels", f"{API}/users/me"))
        return self._made("GET", path, kind)

    def _made(self, method: str, path: str, kind: str, body: bytes = b"") -> Request:
        return Request(method, path, self._headers, body, kind)

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
