"""Container managers in threads of the test process."""

import copy
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from stellwerk.providers.services.protocol import Limits as ModuleLimits
from stellwerk.providers.services.protocol import ServiceSpec
from stellwerk.providers.services.swarm.body import Place, service_body
from stellwerk.stack.container_manager.server import Options, server
from stellwerk.stack.container_manager.services import Limits, Rules
from stellwerk.stack.ports import free_port

TOKEN = "only-the-platform-knows"  # noqa: S105  of throw-away servers on loopback
MOST = Limits(512 * 1024**2, 1.0, 64)
USERS = range(610_000, 610_250)


NETWORK = "stellwerk_modules"
ID, OTHER = "0" * 32, "1" * 32
NAME = f"stellwerk_clock_{ID}"
PLACE = Place("stellwerk", NETWORK, "python:3.11-slim", "610000:610000")
LET_THROUGH, REFUSED = 502, 403  # there is no Docker behind it
NOWHERE = "tcp://127.0.0.1:1"

Body = dict[str, Any]
Change = Callable[[Body], object]


class Manager:
    """What it answers."""

    def __init__(self, url: str, modules: Path) -> None:
        self.url, self.modules = url.replace("tcp", "http"), modules

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {TOKEN}"} | more.pop("headers", {})
        data = body if isinstance(body, bytes) or body is None else json.dumps(body)
        return requests.request(
            method, f"{self.url}{path}", data=data, headers=headers, timeout=60, **more
        )

    def create(self, body: Body) -> requests.Response:
        return self.ask("POST", "/v1.41/services/create", body)

    def body(self) -> Body:
        """A service as the platform asks for it."""
        spec = ServiceSpec(
            name=NAME,
            module_name="clock",
            instance_id=ID,
            version="1.0.0",
            folder=self.modules / f"clock_{ID}" / "releases" / "1.0.0",
            data=self.modules / f"clock_{ID}" / "data",
            port=20_000,
            command=("python3", "server.py"),
            limits=ModuleLimits(256 * 1024**2, 0.5, 32),
        )
        return copy.deepcopy(service_body(spec, PLACE))


@contextmanager
def running_manager(docker: str, modules: Path, network: str) -> Iterator[str]:
    """The address of one for the stack `stellwerk`."""
    listen = f"tcp://127.0.0.1:{free_port()}"
    rules = Rules("stellwerk", network, modules, MOST, USERS)
    with server(Options(listen, docker, 5.0, rules, TOKEN)) as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield listen
        finally:
            serving.shutdown()
            thread.join()
