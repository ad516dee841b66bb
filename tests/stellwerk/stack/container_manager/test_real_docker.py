"""A platform that reaches a real Docker through a container manager alone."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from docker_engine import IMAGE, docker_client
from embedded import wait_until
from stellwerk.errors import ProviderRejected
from stellwerk.providers.services.protocol import ServiceStatus
from stellwerk.providers.services.swarm.runtime import SwarmServices
from stellwerk.settings import environment, load_settings
from stellwerk.stack.ports import free_port
from swarm_places import MARKS, SwarmPlace, swarm_place

pytestmark = MARKS

MODULE = "stellwerk.stack.container_manager"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwarmPlace]:
    with swarm_place(tmp_path_factory.mktemp("swarm")) as made:
        yield made


@pytest.fixture(scope="module")
def docker(place: SwarmPlace) -> Iterator[Any]:
    with closing(docker_client(place.settings["swarm_url"])) as api:
        yield api


@pytest.fixture(scope="module")
def socket(place: SwarmPlace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Of a manager that runs as a process of its own."""
    path = tmp_path_factory.mktemp("manager") / "socket"
    own = {
        "STELLWERK_CONTAINER_MANAGER_LISTEN": f"unix://{path}",
        "STELLWERK_CONTAINER_MANAGER_DOCKER": place.settings["swarm_url"],
        "STELLWERK_MODULES_DIR": str(place.folder),
        "STELLWERK_SWARM_NETWORK": "host",
    }
    command = [sys.executable, "-m", MODULE]
    with subprocess.Popen(command, env=environment() | own) as process:  # noqa: S603  our own
        try:
            wait_until(path.exists)
            yield path
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def through(place: SwarmPlace, socket: Path, port: int) -> SwarmPlace:
    """The same place, as the platform has it; its instance's port is the first of modules'."""
    own = {"swarm_url": f"unix://{socket}", "module_ports_from": port}
    given = {**place.settings, **own}
    return SwarmPlace(SwarmServices(load_settings(**given)), given, place.folder)


def test_a_service_lives_its_whole_life_through_a_manager(through: SwarmPlace, port: int) -> None:
    spec = through.running(port=port)
    assert through.lines(spec) == ["listening"]

    through.services.restart(spec.name)
    through.await_status(spec, ServiceStatus.RUNNING)
    assert list(through.services.states()) == [spec.name]
    through.services.remove(spec.name)

    assert through.services.states() == {}


def test_services_of_others_are_neither_seen_nor_touched(through: SwarmPlace, docker: Any) -> None:
    secret = {"Image": IMAGE, "Env": ["PASSWORD=secret"], "Labels": {"stellwerk.stack": "other"}}
    docker.create_service({"ContainerSpec": secret}, name="database")
    manager = docker_client(through.settings["swarm_url"])
    with closing(manager):
        assert manager.services() == []
        assert "PASSWORD" not in str(manager.tasks())

    services = SwarmServices(load_settings(**through.settings, swarm_stack="database"))
    with pytest.raises(ProviderRejected, match="is not allowed"):
        services.remove("database_x")
    docker.remove_service("database")


def test_who_mounts_what_is_no_modules_is_refused(
    through: SwarmPlace, port: int, tmp_path: Path
) -> None:
    spec = through.spec(port=port, data=tmp_path)

    with pytest.raises(ProviderRejected, match=r"403.*Mounts"):
        through.services.create(spec)

    assert through.services.state(spec.name) is None


def test_a_socket_is_for_its_owner_and_its_group(socket: Path) -> None:
    assert socket.stat().st_mode & 0o777 == 0o660
