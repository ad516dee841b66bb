"""Load as fast as the server answers (a closed loop): by wrk where it is installed.

Without wrk a generator in Python does it, which takes so much of two cores that ratios shrink
towards 1: results say which it was.
"""

import asyncio
import json
import shutil
import subprocess
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmarks.distribution import milliseconds
from benchmarks.exchange import Connection, Request

CONNECTIONS = 16
SCRIPT = Path(__file__).with_name("wrk.lua")
GRACE_S = 30.0
ERRORS_FROM = 400


@dataclass(frozen=True, slots=True)
class Saturated:
    """Requests per second, and what one of them took."""

    per_s: float
    p50_ms: float
    p99_ms: float


@cache
def generator() -> str:
    """Which generator makes the load."""
    return "wrk" if shutil.which("wrk") else "python"


def saturate(url: str, request: Request, *, seconds: float) -> Saturated:
    """Send one request over and over on 16 connections; raises RuntimeError where one fails."""
    if generator() == "wrk":
        return _by_wrk(url, request, seconds)
    return asyncio.run(_by_ourselves(url, request, seconds))


def _by_wrk(url: str, request: Request, seconds: float) -> Saturated:
    headers = [
        part for name, value in request.headers.items() for part in ("-H", f"{name}: {value}")
    ]
    options = [
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{max(1, round(seconds))}s",
        "-s",
        str(SCRIPT),
        *headers,
    ]
    run = subprocess.run(  # noqa: S603  a tool of this machine, with arguments of ours
        ["wrk", *options, url + request.path, "--", request.method, request.body.decode()],  # noqa: S607  where the system has it
        capture_output=True,
        text=True,
        check=True,
        timeout=seconds + GRACE_S,
    )
    found = json.loads(run.stdout.strip().splitlines()[-1])
    if found["failed"] or not found["requests"]:
        raise RuntimeError(f"{request.path}: {found['failed']} of {found['requests']} failed")
    return Saturated(found["requests"] / found["seconds"], found["p50_ms"], found["p99_ms"])


async def _by_ourselves(url: str, request: Request, seconds: float) -> Saturated:
    encoded = request.encoded
    until_s = time.perf_counter() + seconds
    loops = (_loop(url, encoded, until_s) for _ in range(CONNECTIONS))
    durations_s = [duration for found in await asyncio.gather(*loops) for duration in found]
    found = milliseconds(durations_s)
    return Saturated(len(durations_s) / seconds, found["p50_ms"], found["p99_ms"])


async def _loop(url: str, encoded: bytes, until_s: float) -> list[float]:
    connection = await Connection.to(url)
    durations_s = []
    while (began_s := time.perf_counter()) < until_s:
        answer = await connection.send(encoded)
        durations_s.append(time.perf_counter() - began_s)
        if answer.status >= ERRORS_FROM:
            raise RuntimeError(f"{answer.status}: {answer.body[:500]!r}")
    await connection.close()
    return durations_s
