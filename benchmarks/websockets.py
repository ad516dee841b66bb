"""Thousands of WebSockets in one process: memory, and the time until everybody has an event.

Beside it, in the same run and in turns, a bare broadcaster: Starlette on uvicorn, no rights, no
subscriptions, no limits. `python -m benchmarks.websockets --clients 10000` prints one line of JSON.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import Any
from uuid import UUID

import psutil

from benchmarks.crowd import Crowd, Wanted, connected
from benchmarks.people import Person, sign_in
from benchmarks.stage import Stage, Start, answers, running_stage
from stellwerk.clock import utc_now
from stellwerk.jobs.ports import Event
from stellwerk.jobs.submission import Submission, submit
from stellwerk.stack.ports import free_port
from stellwerk.stack.process import Child, Program

ROUNDS = 7
TEXT_BYTES = 1000  # of an event: about a job document
ENVELOPE_BYTES = 150  # what our message has around that
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Server:
    """One of the two that are measured."""

    process: Child
    wanted: Wanted
    publish: Callable[[int], None]  # an event, numbered


@dataclass(frozen=True, slots=True)
class Side:
    """A server with its clients."""

    server: Server
    crowd: Crowd
    connect_s: float

    def fan_out_s(self, number: int) -> float:
        """From publishing an event to the last client's having it."""
        began = time.monotonic()
        self.server.publish(number)
        return self.crowd.heard() - began

    def rss_mib(self) -> float:
        """Resident memory of the server."""
        return float(psutil.Process(self.server.process.pid).memory_info().rss / MIB)


def measure(clients: int) -> dict[str, Any]:
    """The figures; `fan_out_ratio` is ours to the bare one's."""
    with running_stage() as stage, ExitStack() as stack:
        ours = _ours(stage, stack, clients)
        bare = _bare(stage, stack, clients)
        times = [(ours.fan_out_s(number), bare.fan_out_s(number)) for number in range(1, ROUNDS)]
        fan_out_s, bare_fan_out_s = (median(column) for column in zip(*times, strict=True))
        return {
            "clients": clients,
            "rss_mib": round(ours.rss_mib(), 1),
            "bare_rss_mib": round(bare.rss_mib(), 1),
            "fan_out_s": round(fan_out_s, 3),
            "bare_fan_out_s": round(bare_fan_out_s, 3),
            "fan_out_ratio": round(fan_out_s / bare_fan_out_s, 3),
            "connect_s": round(ours.connect_s, 1),
            "bare_connect_s": round(bare.connect_s, 1),
        }


def _ours(stage: Stage, stack: ExitStack, clients: int) -> Side:
    """The realtime process; each client signs in and listens to the same job."""
    stack.enter_context(stage.running("web"))
    limits = {
        "STELLWERK_REALTIME_MAX_LISTENERS": str(2 * clients),
        "STELLWERK_REALTIME_LISTENERS_PER_USER": str(clients),
    }
    url = f"http://127.0.0.1:{stage.settings.realtime_port}"
    start = Start(stage.program("realtime", **limits), answers(f"{url}/api/v1/health/live"))
    (server,) = stack.enter_context(stage.others([start]))
    (person,) = sign_in(stage)
    job_id = _shown_job(stage, person)
    says = (
        json.dumps({"type": "auth", "token": person.token}),
        json.dumps({"type": "subscribe", "channel": f"job:{job_id}"}),
    )

    def publish(number: int) -> None:
        event = Event(job_id, 1, number, "token", {"text": "x" * TEXT_BYTES})
        stage.platform.live.emit(event, person.user_id)

    wanted = Wanted(f"{url}/api/v1/ws", says, answers=3)  # authenticated, subscribed, snapshot
    return _with_clients(stack, Server(server, wanted, publish), clients)


def _bare(stage: Stage, stack: ExitStack, clients: int) -> Side:
    """The broadcaster; a message is as long as ours."""
    port = free_port()
    command = (sys.executable, "-m", "uvicorn", "--log-level", "warning", "--port", str(port))
    program = Program(
        name="broadcaster",
        role="bench",
        argv=(*command, "benchmarks.rivals.bare.broadcaster:app"),
        env=stage.environment | {"REDIS_URL": stage.settings.redis()},
    )
    (server,) = stack.enter_context(
        stage.others([Start(program, answers(f"http://127.0.0.1:{port}/"))])
    )

    def publish(_: int) -> None:
        stage.platform.live_client.redis.publish("bare", "x" * (TEXT_BYTES + ENVELOPE_BYTES))

    wanted = Wanted(f"http://127.0.0.1:{port}/ws")
    return _with_clients(stack, Server(server, wanted, publish), clients)


def _with_clients(stack: ExitStack, server: Server, clients: int) -> Side:
    began = time.monotonic()
    crowd = stack.enter_context(connected(server.wanted, clients))
    return Side(server, crowd, connect_s=time.monotonic() - began)


def _shown_job(stage: Stage, owner: Person) -> UUID:
    """A job that waits for an hour."""
    submission = Submission(
        "diagnostics.echo", {}, owner_id=owner.user_id, run_at=utc_now() + timedelta(hours=1)
    )
    return submit(stage.platform.runtime, submission)


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=10_000)
    print(json.dumps(measure(parser.parse_args().clients)))


if __name__ == "__main__":
    main()
