"""The shipped Caddyfile in a real Caddy, before small upstreams.

It is as patient as it is shipped, and more: a machine at work may keep a client from sending for
seconds. What shows its limits has an edge of its own, with short ones.
"""

import os
import shutil
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from embedded import wait_until
from stellwerk.settings import environment
from stellwerk.stack.ports import free_port
from stellwerk.stack.process import Child, Program
from upstreams import Ports, reaches, upstream

CADDYFILE = Path(__file__).resolve().parents[2] / "deploy" / "Caddyfile"
TRIES = "lb_try_duration 5s"  # how long it looks for an upstream that is gone


@contextmanager
def running_edge(folder: Path, tries: str = "60s", **more: str) -> Iterator[Ports]:
    """The edge, before small realtime and Flower.

    `tries`: how long it looks for who is gone; `more`: what else its environment says.
    """
    chosen = Ports(free_port(), free_port(), free_port(), free_port())
    env = {
        **environment(),
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "CADDY_ADMIN": "off",
        "EDGE_READ_BODY": "60s",
        "EDGE_READ_HEADER": "60s",
        "EDGE_SITE": f"http://:{chosen.edge}",
        "EDGE_MODULES_SITE": f"http://:{chosen.modules}",
        "STELLWERK_GATEWAY_PORT": str(chosen.gateway),
        "STELLWERK_WEB_ADDRESS": f"127.0.0.1:{chosen.web}",
        "STELLWERK_REALTIME_PORT": str(chosen.realtime),
        "FLOWER_PORT": str(chosen.flower),
        **more,
    }
    caddy = f"{sysconfig.get_path('scripts')}/caddy"
    argv = (caddy, "run", "--config", str(_adapted(folder, tries)), "--adapter", "caddyfile")
    program = Program(name="edge", role="edge", argv=argv, env=env)
    child = Child(program, run=f"edge-{os.getpid()}-{chosen.edge}", log=folder / "log")
    child.start()
    try:
        with upstream("realtime", chosen.realtime), upstream("flower", chosen.flower):
            yield chosen
    finally:
        child.ask_to_end()
        wait_until(lambda: child.ended() or child.pid is None)


@contextmanager
def asking(ports: Ports) -> Iterator[httpx.Client]:
    """A client of that edge, once it is up."""
    with httpx.Client(base_url=f"http://127.0.0.1:{ports.edge}", timeout=90) as made:
        wait_until(lambda: reaches(made))
        yield made


def _adapted(folder: Path, tries: str) -> Path:
    """The configuration, with another patience for who is gone."""
    shutil.copy(CADDYFILE.with_name("envelope.caddyfile"), folder)
    text = CADDYFILE.read_text()
    assert TRIES in text
    changed = folder / "Caddyfile"
    changed.write_text(text.replace(TRIES, f"lb_try_duration {tries}"))
    return changed
