"""The public side of a platform for tests: edge, web and realtime as real processes."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import requests

from api import account
from embedded import wait_until
from engine import as_variables
from full_stack import Client
from people import add_user, quickly_hashed
from stellwerk.bootstrap import Platform
from stellwerk.settings import Settings, environment
from stellwerk.shipped import shipped
from stellwerk.stack.ports import free_port

UP_WITHIN_S = 120.0
DOWN_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Front:
    """`url` is the edge's; `realtime_url` leads to the realtime process without the edge."""

    url: str
    web_url: str
    realtime_url: str
    settings: Settings
    folder: Path
    web: "subprocess.Popen[bytes]"
    realtime: "subprocess.Popen[bytes]"

    def log(self, name: str) -> str:
        """What `web`, `realtime` or `edge` wrote so far."""
        return (self.folder / f"{name}.log").read_text()


@contextmanager
def running_front(settings: Settings, folder: Path) -> Iterator[Front]:
    """All three, ready, until the block ends; `settings` name the backends."""
    web_port, realtime_port, edge_port = free_port(), free_port(), free_port()
    settings = settings.model_copy(
        update={"web_address": f"127.0.0.1:{web_port}", "realtime_port": realtime_port}
    )
    env = environment() | as_variables(settings)
    with ExitStack() as stack:
        started = {
            name: stack.enter_context(_process(command, env | more, folder / f"{name}.log"))
            for name, command, more in (
                ("web", _web(web_port), {}),
                ("realtime", _realtime(), {}),
                ("edge", _edge(), _edge_variables(edge_port, folder, settings)),
            )
        }
        front = Front(
            url=f"http://127.0.0.1:{edge_port}",
            web_url=f"http://127.0.0.1:{web_port}",
            realtime_url=f"http://127.0.0.1:{realtime_port}",
            settings=settings,
            folder=folder,
            web=started["web"],
            realtime=started["realtime"],
        )
        for url in (front.web_url, front.realtime_url, front.url):
            wait_until(partial(_answers, url), timeout_s=UP_WITHIN_S)
        yield front


def signed_up_at(url: str, platform: Platform) -> Client:
    """Somebody new, signed in there; put into the ledger: a registration has mails written."""
    body = account()
    add_user(platform, email=body["email"], password_hash=quickly_hashed(body["password"]))
    client = Client(url)
    answer = client.expect(200, "POST", "/auth/login", json=body)
    client.session.headers["Authorization"] = f"Bearer {answer['access_token']}"
    return client


@contextmanager
def further_web(front: Front, folder: Path) -> Iterator[Front]:
    """The same with a web process of its own, which nothing but `web_url` leads to."""
    port = free_port()
    env = environment() | as_variables(front.settings)
    with _process(_web(port), env, folder / "web.log") as process:
        url = f"http://127.0.0.1:{port}"
        wait_until(partial(_answers, url), timeout_s=UP_WITHIN_S)
        yield replace(front, web_url=url, web=process, folder=folder)


@contextmanager
def further_realtime(front: Front, folder: Path, **changes: Any) -> Iterator[Front]:
    """The same with a realtime process of its own and no edge; `changes`: of its settings."""
    port = free_port()
    settings = front.settings.model_copy(update={"realtime_port": port, **changes})
    env = environment() | as_variables(settings)
    with _process(_realtime(), env, folder / "realtime.log") as process:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: _listens(port), timeout_s=UP_WITHIN_S)
        yield replace(
            front, url=url, realtime_url=url, settings=settings, folder=folder, realtime=process
        )


@contextmanager
def _process(
    command: list[str], env: Mapping[str, str], log: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  our own programs
            command, env=env, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(DOWN_WITHIN_S)


def _web(port: int) -> list[str]:
    options = "--interface wsgi --factory --host 127.0.0.1 --http 1 --no-ws --blocking-threads 4"
    return _python(
        "-m",
        "stellwerk_api.web",
        *options.split(),
        "--port",
        str(port),
        "stellwerk_api.app:create_app",
    )


def _realtime() -> list[str]:
    return _python("-m", "stellwerk_api.realtime")


def _edge() -> list[str]:
    caddy = Path(sys.executable).with_name("caddy")
    configuration = shipped("deploy/Caddyfile")
    return [str(caddy), "run", "--config", str(configuration), "--adapter", "caddyfile"]


def _edge_variables(port: int, folder: Path, settings: Settings) -> dict[str, str]:
    return {
        "EDGE_TRUSTED_PROXIES": " ".join(map(str, settings.trusted_proxies)),
        "EDGE_SITE": f"http://:{port}",
        "EDGE_MODULES_SITE": f"http://:{free_port()}",
        "CADDY_ADMIN": "off",
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    }


def _python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/api/v1/health/live", timeout=2).ok
    except requests.RequestException:
        return False


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2):
        return True
    return False
