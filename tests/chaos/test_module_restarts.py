"""Instances outlive workers and web, end with their platform, and come back as they were."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import requests

from embedded import wait_until
from full_stack import Client, full_stack, new_operator, operator_of
from stack_runs import StackRun
from stellwerk.providers.services.choice import services
from stellwerk.settings import load_settings

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(280)]

PATIENCE_S = 30.0
KILLED = ("worker_long", "worker_short", "web", "dispatcher", "gateway", "edge")
FOUND_AGAIN = ("instance_id", "path", "version", "service", "is_primary", "created_at")


def installed(operator: Client) -> dict[str, Any]:
    accepted = operator.expect(202, "POST", "/repository/install", json={"module_name": "echo"})
    job = operator.ended(accepted["job_id"])
    assert job["status"] == "completed", job
    return instance(operator)


def instance(operator: Client) -> dict[str, Any]:
    (found,) = operator.expect(200, "GET", "/modules/instances")["items"]
    return dict(operator.expect(200, "GET", f"/modules/instance/echo/{found['instance_id']}"))


def address_of(run: StackRun, found: dict[str, Any]) -> str:
    """Where it listens, as its runtime knows."""
    states = services(load_settings(home=run.home.path)).states()
    return states[found["service"]].address


def page(run: StackRun) -> str:
    return f"{run.document()['urls']['modules'].rstrip('/')}/echo/"


def serves(run: StackRun) -> bool:
    try:
        return requests.get(page(run), timeout=PATIENCE_S).ok
    except requests.RequestException:
        return False


def kill_and_await(run: StackRun) -> None:
    before = {name: run.pid_of(name) for name in KILLED}
    for pid in before.values():
        assert pid
        os.kill(pid, signal.SIGKILL)
    wait_until(
        lambda: all(run.pid_of(name) not in {None, pid} for name, pid in before.items()),
        timeout_s=60,
    )


def test_an_instance_outlives_all_but_its_platform_and_comes_back_with_it(tmp_path: Path) -> None:
    with full_stack(tmp_path, goes_on=True) as run:
        email = new_operator(run)
        operator = operator_of(run, email)
        before = installed(operator)
        wait_until(lambda: serves(run))
        kill_and_await(run)
        wait_until(lambda: serves(run), timeout_s=60)
        wait_until(lambda: operator.request("GET", "/modules").ok, timeout_s=60)
        assert instance(operator)["started_at"] == before["started_at"]
        address = address_of(run, before)
        assert requests.get(f"http://{address}/", timeout=PATIENCE_S).ok
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://{address}/", timeout=PATIENCE_S)
    with full_stack(tmp_path) as run:
        operator = operator_of(run, email)
        wait_until(lambda: serves(run), timeout_s=60)
        after = instance(operator)
        assert {name: after[name] for name in FOUND_AGAIN} == {
            name: before[name] for name in FOUND_AGAIN
        }
        assert address_of(run, after) == address
        assert after["started_at"] != before["started_at"]
