"""Polling a job, beside the least that a poll can cost."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import orjson
import requests
from redis import Redis

from benchmarks import ledger
from benchmarks.distribution import compared, ratio_row
from benchmarks.exchange import Request
from benchmarks.people import Person, sign_in
from benchmarks.saturated import generator, saturate
from benchmarks.sizes import Sizes
from benchmarks.stage import Stage, Start, answers
from benchmarks.systems import BARE, BROKER_DATABASE, OUR_APPLICATION, OUR_SERVER
from stellwerk.clock import utc_now
from stellwerk.stack.ports import free_port

JOB_TTL_S = 3600


def measure(stage: Stage, sizes: Sizes) -> dict[str, Any]:
    """Requests per second, ours and the bare route's in turns."""
    ledger.clear(stage)
    with stage.running("web"), bare_application(stage, "redis_get") as bare_url:
        person = sign_in(stage)[0]
        path = _job_ahead(stage, person)
        ours = Request("GET", path, person.headers)
        theirs = Request("GET", _copied(stage, person, path))
        saturate(stage.web_url, ours, seconds=sizes.warm_up_s)
        saturate(bare_url, theirs, seconds=sizes.warm_up_s)
        rates: dict[str, list[float]] = {"ours": [], "theirs": []}
        for _ in range(sizes.rounds):
            loads = {
                "ours": saturate(stage.web_url, ours, seconds=sizes.round_s),
                "theirs": saturate(bare_url, theirs, seconds=sizes.round_s),
            }
            for name, load in loads.items():
                rates[name].append(load.per_s)
    return {"generator": generator(), **compared(rates["ours"], rates["theirs"])}


def lines(figures: Mapping[str, Any]) -> list[str]:
    """One table."""
    return [
        "| `GET /jobs/{id}` | requests/s |",
        "| --- | ---: |",
        f"| Stellwerk: signed in, owner compared, ETag | {figures['ours_per_s']:,.0f} |",
        f"| bare Flask route with one Redis GET | {figures['theirs_per_s']:,.0f} |",
        ratio_row(figures),
    ]


@contextmanager
def bare_application(stage: Stage, module: str) -> Iterator[str]:
    """A bare application behind the granian that serves ours; gives its URL."""
    url = f"http://127.0.0.1:{free_port()}"
    ours = stage.program("web").argv[-1].replace(OUR_SERVER, "granian")
    command = ours.replace(OUR_APPLICATION, f"{module}:create_app")
    program = BARE.program(stage, module, command, url.rpartition(":")[2])
    with stage.others([Start(program, answers(f"{url}/"))]):
        yield url


def _job_ahead(stage: Stage, person: Person) -> str:
    """The path of a job that stays as it is."""
    body = {
        "operation": ledger.OPERATION,
        "run_at": (utc_now() + timedelta(hours=1)).isoformat(),
    }
    answer = requests.post(
        f"{stage.web_url}/api/v1/jobs", data=orjson.dumps(body), headers=person.headers, timeout=10
    )
    answer.raise_for_status()
    return str(answer.json()["status_url"])


def _copied(stage: Stage, person: Person, path: str) -> str:
    """The same document for the bare route."""
    document = requests.get(stage.web_url + path, headers=person.headers, timeout=10).content
    with Redis.from_url(stage.redis_url(BROKER_DATABASE)) as redis:
        redis.set("job:1", document, ex=JOB_TTL_S)
    return "/jobs/1"
