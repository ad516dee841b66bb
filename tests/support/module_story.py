"""The life of a module, through the HTTP API alone, while a client asks its page all the time."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import requests

from embedded import wait_until
from full_stack import Client
from module_repositories import HEALTH, ServerModule, make_repository
from stack_runs import StackRun

NAME = "pulse"
EVERY_S = 0.02
SOON_ILL = {**HEALTH, "start_period_s": 2}
ENDED = {"completed", "failed"}


@dataclass(slots=True)
class Visitor:
    """Asks for a page over and over, on one connection after another; notes what it got."""

    url: str
    answers: int = 0
    failures: list[str] = field(default_factory=list)
    versions: set[str] = field(default_factory=set)
    last: dict[str, Any] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def visiting(self) -> Iterator["Visitor"]:
        thread = threading.Thread(target=self._go_on)
        thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            thread.join()

    def _go_on(self) -> None:
        with requests.Session() as session:
            while not self._stop.wait(EVERY_S):
                self._ask(session)

    def _ask(self, session: requests.Session) -> None:
        try:
            answer = session.get(self.url, timeout=60)
        except requests.RequestException as exc:
            self.failures.append(repr(exc))
            return
        if not answer.ok:
            self.failures.append(f"{answer.status_code} {answer.text[:200]}")
            return
        self.answers += 1
        self.last = answer.json()
        self.versions.add(self.last["version"])


@dataclass(slots=True)
class Story:
    """A stack, an operator of it, and a repository in a folder."""

    run: StackRun
    operator: Client
    repository: Path
    repository_id: int = 0

    @property
    def page(self) -> str:
        """The page of the module, at the modules' own origin."""
        return f"{self.run.document()['urls']['modules'].rstrip('/')}/{NAME}/"

    def offer(self, *modules: ServerModule) -> None:
        """Put versions into the repository, and have its index read."""
        make_repository(self.repository, *modules)
        if not self.repository_id:
            body = {
                "name": self.repository.name,
                "kind": "file",
                "location": str(self.repository),
            }
            added = self.operator.expect(201, "POST", "/repositories", json=body)
            self.repository_id = added["id"]
        synced = self.operator.expect(202, "POST", f"/repositories/{self.repository_id}/sync")
        assert self.operator.ended(synced["job_id"])["status"] == "completed"

    def operation(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        """Ask for an operation, and poll its status until it ended."""
        accepted = self.operator.expect(202, method, path, **arguments)
        status = accepted["status_url"].removeprefix("/api/v1")
        found: dict[str, Any] = {}

        def has_ended() -> bool:
            found.update(self.operator.expect(200, "GET", status))
            return found["status"] in ENDED

        wait_until(has_ended, timeout_s=100)
        return found

    def done(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        """The same of one that has to complete."""
        found = self.operation(method, path, **arguments)
        assert found["status"] == "completed", found
        return found

    def instances(self) -> list[dict[str, Any]]:
        """As the list shows them."""
        query = {"module_name": NAME}
        answer = self.operator.expect(200, "GET", "/modules/instances", params=query)
        return list(answer["items"])

    def visit(self) -> dict[str, Any]:
        """What the page says now."""
        answer = requests.get(self.page, timeout=60)
        assert answer.ok, answer.text[:300]
        return dict(answer.json())


def tell(story: Story) -> Visitor:
    """All of it; returns who visited during the updates."""
    install_and_switch(story)
    visitor = Visitor(story.page)
    with visitor.visiting():
        wait_until(lambda: visitor.answers > 0)
        update_to_an_ill_version(story)
        assert (visitor.failures, visitor.versions) == ([], {"1.0.0"})
        update_to_a_good_version(story)
        wait_until(lambda: visitor.last["version"] == "3.0.0")
    assert visitor.failures == []
    uninstall(story)
    return visitor


def install_and_switch(story: Story) -> None:
    story.offer(ServerModule(NAME))
    wanted = {"module_name": NAME, "repository_id": story.repository_id}
    installed = story.done("POST", "/repository/install", json=wanted)
    assert (installed["progress"], installed["module_name"]) == (100, NAME)
    story.done("POST", "/modules/install-instance", json={"module_name": NAME})
    first, second = sorted(story.instances(), key=lambda one: not one["is_primary"])
    assert {first["status"], second["status"]} == {"running"}
    wait_until(lambda: story.visit()["instance_id"] == first["instance_id"])
    story.operator.expect(200, "POST", f"/modules/primary/{NAME}/{second['instance_id']}")
    wait_until(lambda: story.visit()["instance_id"] == second["instance_id"])


def update_to_an_ill_version(story: Story) -> None:
    story.offer(ServerModule(NAME, "2.0.0", healthy=False, health=SOON_ILL))
    failed = story.operation("POST", "/modules/update", json={"module_name": NAME})
    assert (failed["status"], failed["failed_step"]) == ("failed", "health")
    assert failed["undone"][:2] == ["create service", "unpack"]
    assert {one["version"] for one in story.instances()} == {"1.0.0"}


def update_to_a_good_version(story: Story) -> None:
    story.offer(ServerModule(NAME, "3.0.0"))
    story.done("POST", "/modules/update", json={"module_name": NAME})
    assert {one["version"] for one in story.instances()} == {"3.0.0"}


def uninstall(story: Story) -> None:
    story.done("DELETE", f"/repository/uninstall/{NAME}", params={"data": "drop"})
    assert story.instances() == []
    wait_until(lambda: requests.get(story.page, timeout=60).status_code == 404)
    assert story.operator.expect(200, "GET", "/modules/orphans")["items"] == []


def install_samples(story: Story) -> None:
    """The modules that are shipped: a dashboard brings the clock, and each has its page."""
    for name in ("dashboard", "echo"):
        story.done("POST", "/repository/install", json={"module_name": name})
    origin = story.run.document()["urls"]["modules"].rstrip("/")
    for name, said in (("dashboard", "<!doctype html>"), ("clock", '"utc"'), ("echo", '"path"')):
        url = f"{origin}/{name}/"
        wait_until(partial(_answers, url))
        assert said in requests.get(url, timeout=60).text
    for name in ("dashboard", "clock", "echo"):
        story.done("DELETE", f"/repository/uninstall/{name}")


def _answers(url: str) -> bool:
    return requests.get(url, timeout=60).ok
