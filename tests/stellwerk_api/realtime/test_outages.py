"""Streams and waits while Redis is away, and when the process is told to stop."""

import json
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from embedded import running_valkey, wait_until
from front import Front, further_realtime, running_front
from full_stack import Client
from jobs_over_http import cancel, events, kinds, submit_for_later
from servers import server_at
from sockets import numbers_of, talking
from stellwerk.bootstrap import Platform
from stellwerk.settings import Settings


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[str]:
    with running_valkey(tmp_path / "valkey") as url:
        yield url


@pytest.fixture
def own_front(
    platform: Platform, settings: Settings, own_redis: str, tmp_path: Path
) -> Iterator[Front]:
    del platform
    changed = settings.model_copy(update={"redis_url": own_redis, "redis_timeout_s": 0.5})
    with running_front(changed, tmp_path) as front:
        wait_until(lambda: "subscribed" in front.log("realtime"))
        yield front


@pytest.fixture
def redis_server(own_redis: str) -> psutil.Process:
    return server_at(own_redis)


def test_streams_and_waits_go_on_while_redis_is_frozen(
    own_front: Front, redis_server: psutil.Process
) -> None:
    client = Client(own_front.url).sign_up()
    job_id = submit_for_later(client)
    with events(client, job_id) as (_, stream):
        assert next(stream).type == "snapshot"
        redis_server.send_signal(signal.SIGSTOP)
        try:
            ending = threading.Timer(2, cancel, (Client(client.url, client.session), job_id))
            ending.start()
            began = time.monotonic()
            waited = client.request("GET", f"/jobs/{job_id}?wait=30")
            assert waited.json()["status"] == "cancelled"
            assert time.monotonic() - began < 15
            assert kinds(list(stream)) == ["snapshot", "end"]
            ending.join()
        finally:
            redis_server.send_signal(signal.SIGCONT)


def test_a_stream_survives_redis_being_killed(
    own_front: Front, redis_server: psutil.Process
) -> None:
    client = Client(own_front.url).sign_up()
    job_id = submit_for_later(client)
    with events(client, job_id) as (_, stream):
        seen = next(stream)
        redis_server.kill()
        cancel(client, job_id)
        found = list(stream)
    assert kinds(found) == ["snapshot", "end"]
    assert json.loads(found[-1].data)["status"] == "cancelled"
    with events(client, job_id, last_id=seen.id) as (_, stream):
        assert kinds(list(stream)) == ["snapshot", "end"]


def test_told_to_stop_it_closes_streams_and_sockets_ends_waits_and_is_gone_within_five_seconds(
    platform: Platform, front_process: Front, tmp_path: Path
) -> None:
    del platform
    with further_realtime(front_process, tmp_path) as front:
        client = Client(front.realtime_url).sign_up()
        job_id = submit_for_later(client)
        answers = []
        waiter = threading.Thread(
            target=lambda: answers.append(
                Client(client.url, client.session).request("GET", f"/jobs/{job_id}?wait=30")
            )
        )
        with talking(client) as talk, events(client, job_id) as (_, stream):
            next(stream)
            talk.subscribe(f"job:{job_id}")
            waiter.start()
            wait_until(lambda: 'open{kind="wait"} 1.0' in numbers_of(front))
            began = time.monotonic()
            front.realtime.terminate()
            assert list(stream) == []
            assert talk.closed()[0] == 1012
            waiter.join()
        front.realtime.wait(60)
        assert time.monotonic() - began < 5
        assert answers[0].status_code == 200
        assert answers[0].json()["status"] == "scheduled"
