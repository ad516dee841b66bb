"""A hundred videos in progress at once: accepted, their states known, and the API still quick."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import Any

import orjson

from benchmarks import ledger
from benchmarks.distribution import milliseconds
from benchmarks.exchange import Request
from benchmarks.paced import paced
from benchmarks.people import Person, sign_in
from benchmarks.sender import Sender, sender
from benchmarks.sizes import Sizes
from benchmarks.stage import Stage, wait_until

API = "/api/v1"
PROCESSES = ("web", "dispatcher", "worker_media", "worker_short")
POLLS_PER_S = 100.0
ENDED_WITHIN_S = 60.0
IN_PROGRESS = frozenset({"queued", "running", "waiting", "retrying"})


def measure(stage: Stage, sizes: Sizes) -> dict[str, Any]:
    """What became of them while they were polled, until they were cancelled."""
    ledger.clear(stage)
    ledger.settle(stage)
    with stage.running(*PROCESSES), sender(stage.web_url) as http:
        people = sign_in(stage, sizes.generations)
        took_s, jobs = _submitted(http, people)
        polls = [_poll(person, job) for person, job in zip(people, jobs, strict=True)]
        users = [repeat(poll) for poll in polls]
        answered = paced(stage.web_url, users, per_s=POLLS_PER_S, seconds=sizes.generations_s)
        http.reconnect()
        states = Counter(_state(http, poll) for poll in polls)
        cancels = [
            iter([_cancel(person, poll)]) for person, poll in zip(people, polls, strict=True)
        ]
        paced(stage.web_url, cancels, per_s=POLLS_PER_S, seconds=len(cancels) / POLLS_PER_S)
        wait_until(lambda: ledger.is_drained(stage), within_s=ENDED_WITHIN_S)
        http.reconnect()
        ended = Counter(_state(http, poll) for poll in polls)
    ledger.clear(stage)
    return {
        "accepted": len(jobs),
        "submit": milliseconds(took_s),
        "polls": answered.figures(),
        "seconds": sizes.generations_s,
        "states": dict(states),
        "ended": dict(ended),
    }


def lines(figures: Mapping[str, Any]) -> list[str]:
    """One table."""
    polls, seconds = figures["polls"], figures["seconds"]
    refused = sum(polls["failed"].values()) + polls["not_sent"]
    return [
        f"| `videos.generate`, {figures['accepted']} submitted one after another | |",
        "| --- | ---: |",
        f"| answered with 202 in, p95 | {figures['submit']['p95_ms']:.1f} ms |",
        f"| states after {seconds:g} s of polls | {_counts(figures['states'])} |",
        f"| a poll meanwhile, p50 and p95 | {polls['p50_ms']:.1f}, {polls['p95_ms']:.1f} ms |",
        f"| polls refused or not sent, of {polls['count'] + refused:,} | {refused:,} |",
        f"| states once all were cancelled | {_counts(figures['ended'])} |",
    ]


def lost(figures: Mapping[str, Any]) -> int:
    """How many neither went on nor were completed after a while; all, where none was."""
    states: Mapping[str, int] = figures["states"]
    good = IN_PROGRESS | {"completed"} if states.get("completed") else frozenset()
    return sum(count for state, count in states.items() if state not in good)


def _counts(states: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(states.items()))


def _submitted(http: Sender, people: Sequence[Person]) -> tuple[list[float], list[str]]:
    """A video of each: how long the answers took, and the jobs' ids."""
    took_s, jobs = [], []
    for person in people:
        named = Request("POST", f"{API}/channels", person.headers, b'{"name": "Signals"}')
        channel = orjson.loads(http.send(named).body)["id"]
        video = {"channel_id": channel, "topic": "signal boxes", "target_duration": 15}
        body = orjson.dumps(video)
        asked = Request("POST", f"{API}/videos/generate", person.headers, body)
        jobs.append(str(orjson.loads(http.send(asked).body)["job_id"]))
        took_s.append(http.took_s)
    return took_s, jobs


def _poll(person: Person, job: str) -> Request:
    return Request("GET", f"{API}/jobs/{job}", person.headers, kind="poll")


def _cancel(person: Person, poll: Request) -> Request:
    """Refused where it has ended meanwhile."""
    return Request("POST", f"{poll.path}/cancel", person.headers, b"{}", "cancel")


def _state(http: Sender, poll: Request) -> str:
    return str(orjson.loads(http.send(poll).body)["status"])
