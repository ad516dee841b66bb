"""A server out of the npm packages, which runs until it is let go."""

import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from embedded import wait_until
from npm_packages import installed, node
from stellwerk.settings import environment
from stellwerk.stack.ports import free_port

START_LIMIT_S, END_LIMIT_S = 120.0, 60.0


@contextmanager
def node_server(
    script: str,
    arguments: Sequence[str],
    folder: Path,
    *,
    env: Mapping[str, str] | None = None,
) -> Iterator[int]:
    """Run a script of tests/node_modules in `folder`; gives its port, which follows `-p`."""
    port, log = free_port(), folder / "server.log"
    command = [str(node()), str(installed(script)), *arguments, "-p", str(port)]
    with log.open("w") as output:
        server = subprocess.Popen(  # noqa: S603  fixed arguments
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**environment(), **(env or {})},
        )
    try:
        wait_until(lambda: server.poll() is not None or _listens(port), timeout_s=START_LIMIT_S)
        assert server.poll() is None, log.read_text()[-1000:]
        yield port
    finally:
        server.terminate()
        server.wait(END_LIMIT_S)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0
