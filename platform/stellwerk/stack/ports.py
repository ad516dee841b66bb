"""Free ports on loopback, and the public one."""

import errno
import random
import socket
from contextlib import ExitStack

from stellwerk.errors import PortTaken
from stellwerk.stack.home import Home, read_json, write_json

# Below the range from which systems take the ports of outgoing connections, so that nothing
# moves in while a process of ours is being restarted.
RANGE = range(15_000, 32_000)
INNER = ("postgres", "valkey", "web", "realtime", "flower", "switch")
TRIES = 200


def choose_ports(home: Home, host: str, public_port: int) -> dict[str, int]:
    """Ports by process name, `edge` being the public one (0: any free one).

    The last start's ports are taken again where they are free. Raises PortTaken where the
    public port was given and cannot be had.
    """
    last = known_ports(home)
    with ExitStack() as taken:
        ports = {"edge": _public(taken, host, public_port or last.get("edge", 0), public_port)}
        for name in INNER:
            ports[name] = _inner(taken, last.get(name, 0))
    write_json(home.ports_file, ports)
    return ports


def known_ports(home: Home) -> dict[str, int]:
    """The ports of the last start; empty before the first."""
    return {name: int(port) for name, port in read_json(home.ports_file).items()}


def free_port(host: str = "127.0.0.1") -> int:
    """A port nobody listens on at this moment."""
    with ExitStack() as taken:
        return _any(taken, host)


def _public(taken: ExitStack, host: str, wanted: int, demanded: int) -> int:
    if not wanted:
        return _any(taken, host)
    try:
        return _listen(taken, host, wanted)
    except OSError as exc:
        if not demanded:
            return _any(taken, host)
        raise PortTaken(_sentence(host, demanded, exc)) from exc


def _inner(taken: ExitStack, wanted: int) -> int:
    try:
        return _listen(taken, "127.0.0.1", wanted) if wanted else _any(taken, "127.0.0.1")
    except OSError:
        return _any(taken, "127.0.0.1")


def _any(taken: ExitStack, host: str) -> int:
    for port in random.sample(RANGE, TRIES):
        try:
            return _listen(taken, host, port)
        except OSError as exc:
            if exc.errno != errno.EADDRINUSE:
                raise PortTaken(_sentence(host, port, exc)) from exc
    raise PortTaken(f"{TRIES} ports between {RANGE.start} and {RANGE.stop} are all taken.")


def _listen(taken: ExitStack, host: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    probe = taken.enter_context(socket.socket(family, socket.SOCK_STREAM))
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do
    probe.bind((host, port))
    probe.listen(1)
    return port


def _sentence(host: str, port: int, exc: OSError) -> str:
    if exc.errno == errno.EADDRINUSE:
        why = "is taken by another program"
    elif exc.errno == errno.EACCES:
        why = "may only be opened by root"
    else:
        why = f"cannot be opened ({exc.strerror})"
    return f"Port {port} on {host} {why}. Choose another: stellwerk up --port 0"
