"""The real `stellwerk up` with its real Procfile, and a client of its public port."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any

import requests

from embedded import wait_until
from plenty import PLENTY
from stack_runs import CLEAN, StackRun, discard
from stellwerk.settings import environment
from stellwerk.stack.home import Home

LEASE_S = 8  # of the stack that chaos tests break
PASSWORD = "correct horse battery staple"  # noqa: S105  of throw-away users
ENDED = {"completed", "failed", "cancelled"}


@dataclass(slots=True)
class Client:
    """A signed-in user of the API; remembers how long its slowest answer took."""

    url: str
    session: requests.Session = field(default_factory=requests.Session)
    slowest_s: float = 0.0
    times_s: list[float] = field(default_factory=list)

    def sign_up(self) -> "Client":
        """Register somebody new and log in."""
        account = {"email": f"{token_hex(6)}@example.com", "password": PASSWORD}
        self.expect(202, "POST", "/auth/register", json=account)
        answer = self.expect(200, "POST", "/auth/login", json=account)
        self.session.headers["Authorization"] = f"Bearer {answer['access_token']}"
        return self

    def request(self, method: str, path: str, **arguments: Any) -> requests.Response:
        """One request, timed."""
        began = time.monotonic()
        answer = self.session.request(method, f"{self.url}/api/v1{path}", timeout=35, **arguments)
        self.times_s.append(time.monotonic() - began)
        self.slowest_s = max(self.slowest_s, self.times_s[-1])
        return answer

    def expect(self, status: int, method: str, path: str, **arguments: Any) -> Any:
        """The JSON of an answer that has to have this status."""
        answer = self.request(method, path, **arguments)
        assert answer.status_code == status, (method, path, answer.status_code, answer.text[:500])
        return answer.json()

    def submit(self, operation: str, payload: dict[str, Any]) -> str:
        """Submit a job; returns its id."""
        body = {"operation": operation, "payload": payload}
        return str(self.expect(202, "POST", "/jobs", json=body)["job_id"])

    def job(self, job_id: str) -> dict[str, Any]:
        """Poll a job: always 200."""
        return dict(self.expect(200, "GET", f"/jobs/{job_id}"))

    def ended(self, job_id: str, timeout_s: float = 60) -> dict[str, Any]:
        """Poll until it ended."""
        job: dict[str, Any] = {}

        def has_ended() -> bool:
            job.update(self.job(job_id))
            return job["status"] in ENDED

        wait_until(has_ended, timeout_s=timeout_s)
        return job

    def has(self, job_id: str, status: str) -> bool:
        """Whether it is in this state now."""
        return bool(self.job(job_id)["status"] == status)


RUNNING: list[StackRun] = []  # of this test process


def end_stacks() -> None:
    """End those that earlier tests of this process left running."""
    for run in RUNNING:
        end(run)


def end(run: StackRun) -> None:
    """With SIGTERM, unless it has ended."""
    if run.process.poll() is None:
        run.end(signal.SIGTERM)


@contextmanager
def full_stack(
    folder: Path, python: str = sys.executable, *, goes_on: bool = False, **settings: object
) -> Iterator[StackRun]:
    """`stellwerk up` of this Python on a free port, ready; ended with SIGTERM.

    With `goes_on` another one of the same folder follows, so that its data stay.
    """
    home = folder / "home"
    output = folder / "up.out"
    env = {name: value for name, value in environment().items() if name not in CLEAN}
    env["STELLWERK_CONFIG_DEFAULTS"] = json.dumps(PLENTY)
    env |= {f"STELLWERK_{name.upper()}": str(value) for name, value in settings.items()}
    command = [python, "-m", "stellwerk.cli.main", "up", "--port", "0"]
    with output.open("w") as file:
        process = subprocess.Popen(  # noqa: S603  our own command
            command,
            env=env | {"STELLWERK_HOME": str(home)},
            cwd=folder,
            stdout=file,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    run = StackRun(process, Home(home.absolute()), output)
    RUNNING.append(run)
    try:
        wait_until(run.is_ready, timeout_s=180)
        yield run
    finally:
        RUNNING.remove(run)
        end(run)
        if not goes_on:
            discard(home)


def client_of(run: StackRun) -> Client:
    """A client of its API, signed up as somebody new."""
    return Client(run.document()["urls"]["api"].removesuffix("/api/v1").rstrip("/")).sign_up()


def new_operator(run: StackRun, **variables: str) -> str:
    """Make an administrator with the command line; returns the address."""
    email = f"{token_hex(6)}@example.com"
    command = [sys.executable, "-m", "stellwerk.cli.main", "admin", "create", "--email", email]
    subprocess.run(  # noqa: S603  our own command
        [*command, "--password-stdin"],
        env=environment() | {"STELLWERK_HOME": str(run.home.path)} | variables,
        input=PASSWORD,
        text=True,
        check=True,
        capture_output=True,
    )
    return email


def operator_of(run: StackRun, email: str) -> Client:
    """A client signed in as this administrator."""
    client = Client(run.document()["urls"]["api"].removesuffix("/api/v1"))
    body = {"email": email, "password": PASSWORD}
    answer = client.expect(200, "POST", "/auth/login", json=body)
    client.session.headers["Authorization"] = f"Bearer {answer['access_token']}"
    return client
