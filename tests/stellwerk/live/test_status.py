"""The live copy of a job: never older than what was shown, and right again after an outage."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import psutil
import pytest

from embedded import running_valkey, wait_until
from stellwerk.clock import new_id
from stellwerk.gate import Gate
from stellwerk.jobs.ports import Change
from stellwerk.live.client import LiveClient
from stellwerk.live.status import LiveStatus


def change(job_id: UUID, version: int, status: str, *, is_final: bool = False) -> Change:
    return Change(job_id, 7, version, is_final, {"status": status})


@contextmanager
def asking(url: str, timeout_s: float) -> Iterator[LiveClient]:
    client = LiveClient(url, timeout_s=timeout_s, gate=Gate(0.1))
    yield client
    client.close()


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with running_valkey(tmp_path) as url:
        yield url


@pytest.fixture
def client(url: str) -> Iterator[LiveClient]:
    """Of a process that has time: a server may stand still though nobody stops it."""
    with asking(url, 30.0) as client:
        yield client


@pytest.fixture
def live(client: LiveClient) -> LiveStatus:
    return LiveStatus(client, ttl_s=60, events_kept=100)


@pytest.fixture
def hasty(url: str) -> Iterator[LiveStatus]:
    with asking(url, 0.2) as client:
        yield LiveStatus(client, ttl_s=60, events_kept=100)


def test_an_older_version_never_replaces_a_newer_one(live: LiveStatus) -> None:
    job_id = new_id()
    live.show([change(job_id, 3, "running")])
    live.show([change(job_id, 2, "queued")])

    shown = live.read(job_id)
    assert shown
    assert (shown.version, shown.owner_id, shown.document) == (3, 7, b'{"status":"running"}')


def test_an_unknown_job_is_not_shown(live: LiveStatus) -> None:
    assert live.read(new_id()) is None


def test_what_was_not_shown_in_an_outage_is_shown_after_it(
    client: LiveClient, hasty: LiveStatus
) -> None:
    job_id = new_id()
    hasty.show([change(job_id, 1, "running")])
    pid = _pid(client)

    os.kill(pid, signal.SIGSTOP)
    try:
        hasty.show([change(job_id, 2, "completed", is_final=True)])
        assert hasty.read(job_id) is None
    finally:
        os.kill(pid, signal.SIGCONT)

    wait_until(lambda: (shown := hasty.read(job_id)) is not None and shown.version == 2)


def _pid(client: LiveClient) -> int:
    pid = client.redis.info("server")["process_id"]
    assert psutil.Process(pid).is_running()
    return int(pid)
