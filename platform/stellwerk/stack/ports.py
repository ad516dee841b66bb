"""Free ports on loopback, and the public one."""

import errno
import random
import socket
from contextlib import ExitStack
from dataclasses import dataclass

from stellwerk.errors import PortTaken
from stellwerk.stack.home import Home, read_json, write_json

# Below the range from which systems take the ports of outgoing connections, so that nothing
# moves in while a process of ours is being restarted.
RANGE = range(15_000, 32_000)
INNER = ("postgres", "valkey", "web", "realtime", "flower", "switch", "gateway")
TRIES = 200


@dataclass(frozen=True, slots=True)
class Wish:
    """Which port a public origin wishes (0: any free one), and whether no other will do."""

    port: int = 0
    is_demanded: bool = False
    remedy: str = "stellwerk up --port 0"  # for a demanded one that cannot be had


ANY_PORT = Wish()


def choose_ports(
    home: Home,
    host: str,
    public_port: int,
    modules: Wish | None = ANY_PORT,
    *,
    reserved: range = range(0),
) -> dict[str, int]:
    """Ports by process name, `edge` being the public one (0: any free one).

    `modules` is the second public one; None: the edge's, told apart by its host. The last start's
    ports are taken again where they are free, and none that is `reserved`, if it is not demanded.
    Raises PortTaken where a public port was demanded and cannot be had.
    """
    known = known_ports(home).items()
    last = {name: port for name, port in known if port not in reserved}
    with ExitStack() as taken:
        wish = Wish(public_port, is_demanded=bool(public_port))
        ports = {"edge": _public(taken, host, wish, last.get("edge", 0), reserved)}
        ports["modules"] = (
            _public(taken, host, modules, last.get("modules", 0), reserved)
            if modules
            else ports["edge"]
        )
        for name in INNER:
            ports[name] = _last(taken, "127.0.0.1", last.get(name, 0), reserved)
    write_json(home.ports_file, ports)
    return ports


def known_ports(home: Home) -> dict[str, int]:
    """The ports of the last start; empty before the first."""
    return {name: int(port) for name, port in read_json(home.ports_file).items()}


def free_port(host: str = "127.0.0.1") -> int:
    """A port nobody listens on at this moment."""
    with ExitStack() as taken:
        return _any(taken, host, range(0))


def _public(taken: ExitStack, host: str, wish: Wish, last: int, reserved: range) -> int:
    try:
        return _listen(taken, host, wish.port) if wish.port else _last(taken, host, last, reserved)
    except OSError as exc:
        if not wish.is_demanded:
            return _last(taken, host, last, reserved)
        raise PortTaken(_sentence(host, wish.port, exc, wish.remedy)) from exc


def _last(taken: ExitStack, host: str, last: int, reserved: range) -> int:
    """The one of the last start where it is free, else any."""
    try:
        return _listen(taken, host, last) if last else _any(taken, host, reserved)
    except OSError:
        return _any(taken, host, reserved)


def _any(taken: ExitStack, host: str, reserved: range) -> int:
    for port in random.sample([port for port in RANGE if port not in reserved], TRIES):
        try:
            return _listen(taken, host, port)
        except OSError as exc:
            if exc.errno != errno.EADDRINUSE:
                raise PortTaken(_sentence(host, port, exc, ANY_PORT.remedy)) from exc
    raise PortTaken(f"{TRIES} ports between {RANGE.start} and {RANGE.stop} are all taken.")


def _listen(taken: ExitStack, host: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    probe = taken.enter_context(socket.socket(family, socket.SOCK_STREAM))
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do
    probe.bind((host, port))
    probe.listen(1)
    return port


def _sentence(host: str, port: int, exc: OSError, remedy: str) -> str:
    if exc.errno == errno.EADDRINUSE:
        why = "is taken by another program"
    elif exc.errno == errno.EACCES:
        why = "may only be opened by root"
    else:
        why = f"cannot be opened ({exc.strerror})"
    return f"Port {port} on {host} {why}. Choose another: {remedy}"
