"""Calls begun through the whole path: web, ledger, dispatcher, worker, telephony, simulator.

The simulator of a switch, and the client that asks for the calls, run on the same machine.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import psutil
from sqlalchemy import TextClause, text

from benchmarks import ledger
from benchmarks.exchange import Request
from benchmarks.paced import Paced, paced
from benchmarks.people import Person, sign_in
from benchmarks.sections.memory import used
from benchmarks.sizes import Sizes
from benchmarks.stage import Stage, Start, says, wait_until
from stellwerk.calls.settling import CHANNEL
from stellwerk.identity.permissions import Audience
from stellwerk.stack.process import Child
from stellwerk.stack.simulation import switch_program
from stellwerk.stack.switch.diary import dials_in

PROCESSES = ("web", "worker_short", "dispatcher", "telephony")
PEOPLE = 20
PER_S = 30
HEADROOM_PER_S = 10  # that the trunk admits above it, as a switch should
ORDINARY, TALKING = "1005", "1010"  # rings 2 s and talks for 3; talks until somebody hangs up
WARM_UP = 30
DONE_WITHIN_S = 180.0
EVENTS = ("created", "ringing", "answered", "hung_up")

ENV = {
    "STELLWERK_CALLS_PER_S": str(PER_S + HEADROOM_PER_S),
    "STELLWERK_CONCURRENT_CALLS_LIMITS": '{"free": 2, "pro": 10, "enterprise": 100000}',
    "STELLWERK_DAILY_CALL_LIMITS": '{"free": 2, "pro": 10, "enterprise": 100000}',
    "STELLWERK_MONTHLY_BUDGETS_EUR": '{"free": 2, "pro": 10, "enterprise": 1000000}',
}
_STATES = text("SELECT state, count(*) FROM calls GROUP BY state")
_ENDS = text("SELECT status, count(*) FROM jobs GROUP BY status")
_BEGUN = text("""
    SELECT count(*) AS calls,
        (count(*) - 1) / extract(epoch FROM max(intended_at) - min(intended_at)) AS per_s,
        percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (
            ORDER BY extract(epoch FROM intended_at - created_at)) AS waited_s
    FROM calls WHERE intended_at IS NOT NULL
""")
_KINDS = text("SELECT kind, count(DISTINCT call_id) FROM call_events GROUP BY kind")
_HANG_UP = text("UPDATE calls SET hangup_asked_at = now()")
_NOTIFY = text("SELECT pg_notify(:channel, '')")


def measure(stage: Stage, sizes: Sizes) -> dict[str, Any]:
    """A steady stream of calls, and then many at once."""
    _clear(stage)
    ledger.settle(stage)
    with _calling(stage) as children:
        callers = Callers(stage)
        callers.ask(WARM_UP, ORDINARY)
        _wait(stage, {"completed": WARM_UP})
        _clear(stage)
        stream = _stream(stage, callers, children, round(PER_S * sizes.calls_s))
        _clear(stage)
        callers.ask(sizes.calls_at_once, TALKING)
        _wait(stage, {"answered": sizes.calls_at_once})
        at_once = used(children["telephony"])
        _hang_up(stage)
        _wait(stage, {"completed": sizes.calls_at_once})
    _clear(stage)
    return {"stream": stream, "at_once": {"calls": sizes.calls_at_once, **at_once}}


def lines(figures: Mapping[str, Any]) -> list[str]:
    """Two tables: the stream, and where the processors' time went."""
    stream, at_once = figures["stream"], figures["at_once"]
    rows = {
        "asked for with `POST /call`, a second": stream["asked_per_s"],
        "begun a second, from the first to the last": stream["begun_per_s"],
        "calls, all completed": f"{stream['completed']:,} of {stream['calls']:,}",
        "dialled a second time": stream["twice"],
        "events lost": stream["lost"],
        "accepted, p50 and p99": _both(stream["accepted"]["p50_ms"], stream["accepted"]["p99_ms"]),
        "from accepted to dialled, p50 and p99": _both(*stream["waited_ms"]),
        f"memory of the telephony process with {at_once['calls']} calls at once (PSS)": (
            f"{at_once['pss_mib']:.0f} MiB"
        ),
    }
    return [
        "| calls | |",
        "| --- | ---: |",
        *(f"| {name} | {value} |" for name, value in rows.items()),
        "",
        "| of the processors | cores while they were asked for | ms for each call, to its end |",
        "| --- | ---: | ---: |",
        *(
            f"| {name} | {cores:.2f} | {stream['ms_a_call'].get(name, 0):.1f} |"
            for name, cores in stream["cores"].items()
        ),
    ]


def _both(p50_ms: float, p99_ms: float) -> str:
    return f"{p50_ms:,.0f} and {p99_ms:,.0f} ms"


class Callers:
    """People who ask for calls at a steady rate, each of another number."""

    def __init__(self, stage: Stage) -> None:
        self._url = stage.web_url
        self._people = sign_in(stage, PEOPLE, audience=Audience.TELEPHONY)
        self._numbers = count(100_000)

    def ask(self, calls: int, ending: str) -> Paced:
        """Returns when all were answered; raises RuntimeError where one was refused."""
        streams = [self._requests(person, ending) for person in self._people]
        asked = paced(self._url, streams, per_s=PER_S, seconds=calls / PER_S, patience_s=60.0)
        if asked.failed:
            raise RuntimeError(f"refused: {dict(asked.failed)}, not sent: {asked.not_sent}")
        return asked

    def _requests(self, person: Person, ending: str) -> Iterator[Request]:
        for number in self._numbers:
            body = orjson.dumps({"to": f"+4930{number}{ending}", "max_duration_s": 600})
            headers = {**person.headers, "Idempotency-Key": str(uuid4())}
            yield Request("POST", "/api/v1/call", headers, body, "call")


@contextmanager
def _calling(stage: Stage) -> Iterator[dict[str, Child]]:
    """What carries calls, with a switch that keeps up."""
    ports, secrets = stage.plan.ports, stage.plan.home.secrets()
    switch = switch_program(ports["switch"], secrets["esl_password"])
    options = ("--sessions-per-second", str(10 * PER_S), "--folder", str(_diary(stage)))
    start = Start(replace(switch, argv=(*switch.argv, *options)), says("listens on"))
    with stage.others([start]) as (child,), stage.running(*PROCESSES, **ENV) as children:
        yield {**children, "switch": child}


def _stream(
    stage: Stage, callers: Callers, children: Mapping[str, Child], calls: int
) -> dict[str, Any]:
    children = {**children, **stage.servers}
    before, began_s = _busy_s(children), time.monotonic()
    asked = callers.ask(calls, ORDINARY)
    took_s, after = time.monotonic() - began_s, _busy_s(children)
    _wait(stage, {"completed": calls})
    wait_until(partial(ledger.is_drained, stage), within_s=DONE_WITHIN_S)
    at_the_end = _busy_s(children)
    cores = {name: round((after[name] - before[name]) / took_s, 2) for name in children}
    ms = {name: round(1000 * (at_the_end[name] - before[name]) / calls, 1) for name in children}
    return {
        "asked_per_s": PER_S,
        "cores": {**cores, "client": round(asked.client_s / took_s, 2)},
        "ms_a_call": {**ms, "client": round(1000 * asked.client_s / calls, 1)},
        "accepted": asked.figures(),
        **_begun(stage),
    }


def _begun(stage: Stage) -> dict[str, Any]:
    """What the ledger and the switch have of calls that all have ended."""
    with stage.platform.runtime.sessions() as session:
        begun = session.execute(_BEGUN).one()
    heard, dials = _counted(stage, _KINDS), dials_in(_diary(stage))
    return {
        "calls": begun.calls,
        "completed": _counted(stage, _ENDS).get("completed", 0),
        "begun_per_s": round(float(begun.per_s), 2),
        "waited_ms": [round(1000 * one, 1) for one in begun.waited_s],
        "lost": sum(begun.calls - heard.get(kind, 0) for kind in EVENTS),
        "twice": sum(times - 1 for times in dials.values()),
    }


def _wait(stage: Stage, states: Mapping[str, int]) -> None:
    wait_until(lambda: _counted(stage, _STATES) == states, within_s=DONE_WITHIN_S)


def _counted(stage: Stage, query: TextClause) -> dict[str, int]:
    with stage.platform.engine.connect() as connection:
        return {row[0]: row[1] for row in connection.execute(query)}


def _hang_up(stage: Stage) -> None:
    with stage.platform.engine.begin() as connection:
        connection.execute(_HANG_UP)
        connection.execute(_NOTIFY, {"channel": CHANNEL})


def _clear(stage: Stage) -> None:
    with stage.platform.engine.begin() as connection:
        connection.execute(text("TRUNCATE calls CASCADE"))
    ledger.clear(stage)


def _diary(stage: Stage) -> Path:
    return stage.plan.home.path / "diary"


def _busy_s(children: Mapping[str, Child]) -> dict[str, float]:
    """Processor time of each program and all that it started, in seconds."""
    return {name: sum(map(_spent_s, _family(child))) for name, child in children.items()}


def _family(child: Child) -> list[psutil.Process]:
    top = psutil.Process(child.pid)
    return [top, *top.children(recursive=True)]


def _spent_s(process: psutil.Process) -> float:
    """Postgres's processes come and go, with what they spent."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)
