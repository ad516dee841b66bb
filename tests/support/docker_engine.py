"""A real Docker engine of the test process: the manager of a swarm that it alone is in.

Its data is in a folder of its own, and it touches no other Docker of the machine. The one image it
has is made from the Python of this machine, so nothing is downloaded.
"""

import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import IO, Any

import docker
import pytest
from docker.errors import APIError

from embedded import wait_until
from stellwerk.settings import environment
from stellwerk.stack.ports import free_port
from stellwerk.stack.process import Child, Program

IMAGE = "stellwerk/python:test"
GOSSIP_PORT = 7946  # of every swarm, on whatever address; it cannot be chosen
BRIDGE = Path("/sys/class/net/docker_gwbridge")  # of every swarm, one a machine
UP_WITHIN_S = 90.0
STDLIB = Path(sysconfig.get_path("stdlib"))
_CANNOT: list[str] = []
_RUNNING: list[tuple[str, ExitStack]] = []
LEFT_OUT = {
    *("test", "tests", "idlelib", "tkinter", "turtledemo", "lib2to3", "ensurepip", "pydoc_data"),
    *("site-packages", "dist-packages", "distutils", "unittest"),
}


class NoEngine(Exception):
    """Docker is there and does not work, such as in a container that may do too little."""


def why_not() -> str:
    """Why no engine can be started here, and what would help; empty where it can be."""
    if os.geteuid() != 0:
        return "Docker Swarm is tried as root alone: sudo make test-swarm"
    if not shutil.which("dockerd"):
        return "dockerd is not installed. Debian: apt-get install docker.io"
    if BRIDGE.exists() or _is_taken(GOSSIP_PORT):
        return (
            f"another swarm runs here, or was killed (port {GOSSIP_PORT}, {BRIDGE.name}): docker "
            f"swarm leave --force; ip link delete {BRIDGE.name}"
        )
    return ""


def shared_docker() -> str:
    """The URL of the engine of this test process, which is started by the first who asks.

    Skips the test, and says why, where none can be.
    """
    if not _RUNNING:
        _start()
    if _CANNOT:
        pytest.skip(_CANNOT[0])
    return _RUNNING[0][0]


def _start() -> None:
    if not _CANNOT and (reason := why_not()):
        _CANNOT.append(reason)
    if _CANNOT:
        return
    with ExitStack() as stack:
        try:
            url = stack.enter_context(running_docker())
        except NoEngine as exc:
            _CANNOT.append(f"dockerd does not work here: {exc}")
            return
        _RUNNING.append((url, stack.pop_all()))


def stop_docker() -> None:
    """End it, if there is one; the next who asks starts another."""
    while _RUNNING:
        _RUNNING.pop()[1].close()


@contextmanager
def running_docker() -> Iterator[str]:
    """The URL of an engine with `IMAGE`, which nothing is left of at the end; raises NoEngine."""
    with lone_docker() as url, closing(docker_client(url)) as api, _swarm(api):
        yield url


@contextmanager
def lone_docker() -> Iterator[str]:
    """The URL of an engine that is in no swarm and has no image; raises NoEngine."""
    folder = Path(tempfile.mkdtemp(prefix="stellwerk-docker-"))
    url = f"unix://{folder}/socket"
    try:
        with _daemon(folder, url):
            yield url
    finally:
        _remove_folder(folder)


@contextmanager
def _swarm(api: Any) -> Iterator[None]:
    addresses = {"advertise_addr": "127.0.0.1", "listen_addr": f"127.0.0.1:{free_port()}"}
    try:
        _make_image(api)
        _try_container(api)
        api.init_swarm(**addresses, data_path_port=free_port())
    except APIError as exc:
        raise NoEngine(exc.explanation) from exc
    try:
        yield
        _leave(api)
    finally:
        _remove_bridge()


def docker_client(url: str) -> Any:
    """A client of the SDK, to look behind what is tested."""
    return docker.APIClient(url, version="1.41", timeout=60)


@contextmanager
def _daemon(folder: Path, url: str) -> Iterator[None]:
    argv = (
        *("dockerd", "--data-root", str(folder / "data"), "--exec-root", str(folder / "exec")),
        *("-H", url, "-p", str(folder / "pid"), "--iptables=false", "--bridge=none"),
    )
    program = Program(name="dockerd", role="dockerd", argv=argv, env=environment())
    child = Child(program, run=folder.name, log=folder / "log")
    child.start()
    try:
        wait_until(lambda: child.ended() or _answers(folder / "socket"), timeout_s=UP_WITHIN_S)
        if not child.pid:
            raise NoEngine(child.log.read_text()[-500:])
        yield
    finally:
        child.ask_to_end()
        wait_until(lambda: child.ended() or not child.pid, timeout_s=UP_WITHIN_S)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _leave(api: Any) -> None:
    """Services first: a daemon that ends waits for their containers."""
    for service in api.services():
        api.remove_service(service["ID"])
    wait_until(lambda: not api.containers(all=True), timeout_s=UP_WITHIN_S)
    api.leave_swarm(force=True)


def _try_container(api: Any) -> None:
    made = api.create_container(IMAGE, ["python3", "-c", ""], network_disabled=True)
    api.start(made)
    assert api.wait(made, timeout=UP_WITHIN_S)["StatusCode"] == 0, api.logs(made)
    api.remove_container(made)


def _make_image(api: Any) -> None:
    """This machine's Python with its libraries, at the paths they have here."""
    repository, tag = IMAGE.split(":")
    with tempfile.NamedTemporaryFile(suffix=".tar") as archive:
        _write_image(archive)
        api.import_image_from_file(archive.name, repository=repository, tag=tag)


def _write_image(archive: IO[bytes]) -> None:
    python = Path(sys.base_prefix, "bin", f"python{sysconfig.get_python_version()}")
    extensions = list((STDLIB / "lib-dynload").glob("*.so"))
    with tarfile.open(fileobj=archive, mode="w") as image:
        for file in {python, *_libraries([python, *extensions]), Path("/etc/ld.so.cache")}:
            image.add(file.resolve(), arcname=str(file), recursive=False)
        image.add(STDLIB, filter=_needed)
        if python != Path("/usr/bin/python3"):
            link = tarfile.TarInfo("usr/bin/python3")
            link.type, link.linkname = tarfile.SYMTYPE, str(python)
            image.addfile(link)
    archive.flush()


def _libraries(programs: list[Path]) -> set[Path]:
    answer = subprocess.run(  # noqa: S603  files of this machine's Python
        ["ldd", *map(str, programs)],  # noqa: S607  of the system, wherever it has it
        check=True,
        capture_output=True,
        text=True,
    )
    words = (word for line in answer.stdout.splitlines() for word in line.split())
    return {Path(word) for word in words if word.startswith("/") and not word.endswith(":")}


def _needed(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    name = Path(member.name).name
    return None if name in LEFT_OUT or name.startswith("config-") or name.endswith(".a") else member


def _remove_folder(folder: Path) -> None:
    for mount in sorted(_mounts_below(folder), reverse=True):
        subprocess.run(["umount", "--lazy", mount], check=False)  # noqa: S603, S607  our own mounts
    shutil.rmtree(folder)


def _mounts_below(folder: Path) -> list[str]:
    lines = Path("/proc/self/mounts").read_text().splitlines()
    return [path for path in (line.split()[1] for line in lines) if path.startswith(f"{folder}/")]


def _remove_bridge() -> None:
    if BRIDGE.exists():
        subprocess.run(["ip", "link", "delete", BRIDGE.name], check=False)  # noqa: S603, S607  made by our engine


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False
