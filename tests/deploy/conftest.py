"""The shipped edge as a real process, before small upstreams."""

import os
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from embedded import wait_until
from stellwerk.settings import environment
from stellwerk.stack.ports import free_port
from stellwerk.stack.process import Child, Program
from upstreams import Ports, reaches, upstream

CADDYFILE = Path(__file__).resolve().parents[2] / "deploy" / "Caddyfile"


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ports]:
    with running_edge(tmp_path_factory.mktemp("edge")) as chosen:
        yield chosen


@contextmanager
def running_edge(folder: Path, **more: str) -> Iterator[Ports]:
    """The edge, before small realtime and Flower; `more`: what else its environment says."""
    chosen = Ports(free_port(), free_port(), free_port(), free_port())
    env = {
        **environment(),
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "CADDY_ADMIN": "off",
        "EDGE_READ_BODY": "1s",
        "EDGE_READ_HEADER": "2s",
        "EDGE_SITE": f"http://:{chosen.edge}",
        "EDGE_MODULES_SITE": f"http://:{chosen.modules}",
        "STELLWERK_GATEWAY_PORT": str(chosen.gateway),
        "STELLWERK_WEB_ADDRESS": f"127.0.0.1:{chosen.web}",
        "STELLWERK_REALTIME_PORT": str(chosen.realtime),
        "FLOWER_PORT": str(chosen.flower),
        **more,
    }
    caddy = f"{sysconfig.get_path('scripts')}/caddy"
    argv = (caddy, "run", "--config", str(CADDYFILE), "--adapter", "caddyfile")
    program = Program(name="edge", role="edge", argv=argv, env=env)
    child = Child(program, run=f"edge-{os.getpid()}-{chosen.edge}", log=folder / "log")
    child.start()
    with upstream("realtime", chosen.realtime), upstream("flower", chosen.flower):
        yield chosen
    child.ask_to_end()
    wait_until(lambda: child.ended() or child.pid is None)


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[Ports]:
    """An edge that gives up on answers after a second."""
    with running_edge(tmp_path, EDGE_ANSWER="1s") as chosen, upstream("web", chosen.web):
        yield chosen


@pytest.fixture
def client(ports: Ports) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{ports.edge}", timeout=20) as made:
        wait_until(lambda: reaches(made))
        yield made


@pytest.fixture
def web(ports: Ports) -> Iterator[None]:
    with upstream("web", ports.web):
        yield
