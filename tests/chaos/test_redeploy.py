"""Processes of a running stack are started again by command, while clients go on."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event

import psutil
import pytest
import requests

from command_line import CommandLine
from embedded import wait_until
from full_stack import Client, client_of
from stack_runs import StackRun

pytestmark = [pytest.mark.chaos, pytest.mark.xdist_group("stack"), pytest.mark.timeout(240)]

CLIENTS = 4
REQUESTS = 50
EVERY_S = 0.04  # of one client: a hundred requests a second in all
ECHO = {"operation": "diagnostics.echo", "payload": {"message": "again"}}


@dataclass
class Load:
    """People who submit jobs and look at them through the edge, as long as the block lasts."""

    clients: list[Client]
    failures: list[str] = field(default_factory=list)
    accepted: list[tuple[Client, str]] = field(default_factory=list)
    stop: Event = field(default_factory=Event)

    @contextmanager
    def running(self) -> Iterator[None]:
        with ThreadPoolExecutor(len(self.clients)) as threads:
            ends = threads.map(self._go_on, self.clients)
            try:
                yield
            finally:
                self.stop.set()
            list(ends)

    def _go_on(self, client: Client) -> None:
        path, turn, due = "/jobs", 0, time.monotonic()
        while not self.stop.wait(max(0.0, due - time.monotonic())):
            method = "GET" if turn % 3 else "POST"
            answer = self._ask(client, method, path if turn % 3 else "/jobs")
            if answer is not None and method == "POST":
                job_id = answer.json()["job_id"]
                self.accepted.append((client, job_id))
                path = f"/jobs/{job_id}"
            turn, due = turn + 1, max(due + EVERY_S, time.monotonic() - 1)

    def _ask(self, client: Client, method: str, path: str) -> requests.Response | None:
        """The answer; a failure is noted."""
        try:
            answer = client.request(method, path, json=ECHO if method == "POST" else None)
        except requests.RequestException as exc:
            self.failures.append(repr(exc))
            return None
        if answer.ok:
            return answer
        self.failures.append(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
        return None


@pytest.fixture
def command(run: StackRun) -> CommandLine:
    return CommandLine({"STELLWERK_HOME": str(run.home.path)}, run.home.path)


def web_workers(run: StackRun) -> set[int]:
    pid = run.pid_of("web")
    assert pid
    return {process.pid for process in psutil.Process(pid).children()}


def test_a_redeploy_fails_no_request_and_ends_no_session(
    run: StackRun, command: CommandLine
) -> None:
    main = run.pid_of("web")
    load = Load([client_of(run) for _ in range(CLIENTS)])
    with load.running():
        wait_until(lambda: len(load.accepted) > CLIENTS)
        for _ in range(2):
            former = web_workers(run)
            assert "web runs again" in command.done("restart", "web")
            assert not web_workers(run) & former
            before = len(load.accepted)
            wait_until(lambda: len(load.accepted) > before + CLIENTS)  # noqa: B023  waited for at once
        wait_until(lambda: len(load.accepted) > REQUESTS)
    assert load.failures == []
    for client, job_id in load.accepted:
        wait_until(lambda: client.has(job_id, "completed"))  # noqa: B023  waited for at once
    for client in load.clients:
        client.expect(200, "GET", "/auth/me")
    assert run.pid_of("web") == main


def test_another_process_comes_back_as_a_new_one(run: StackRun, command: CommandLine) -> None:
    former = run.pid_of("dispatcher")
    command.done("restart", "dispatcher")
    assert run.pid_of("dispatcher") not in {None, former}


def test_workers_are_started_again_one_after_the_other_while_jobs_come_in(
    run: StackRun, command: CommandLine
) -> None:
    names = ["worker_short", "worker_long", "worker_media"]
    former = {name: run.pid_of(name) for name in names}
    load = Load([client_of(run)])
    with load.running():
        said = command.done("restart", "workers")
    assert said.splitlines() == [f"{name} runs again." for name in names]
    assert not {run.pid_of(name) for name in names} & set(former.values())
    assert load.failures == []
    for client, job_id in load.accepted:
        wait_until(lambda: client.has(job_id, "completed"))  # noqa: B023  waited for at once


def test_a_process_that_does_not_exist_is_told(command: CommandLine) -> None:
    ran = command.run("restart", "switchboard")
    assert ran.code == 1
    assert "There is no process switchboard; there are beat, dispatcher, edge" in ran.err
