"""What a swarm does not run, and a Docker that is none or does not answer."""

import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from docker_engine import lone_docker, shared_docker
from stellwerk.errors import ProviderRejected, ProviderUnavailable
from stellwerk.providers.services.protocol import HealthCheck, ServiceSpec
from stellwerk.providers.services.swarm.runtime import SwarmServices
from stellwerk.settings import load_settings

ID = "0" * 32
SPEC = ServiceSpec(
    name=f"stellwerk_clock_{ID}",
    module_name="clock",
    instance_id=ID,
    version="1.0.0",
    folder=Path("/nowhere"),
    data=Path("/nowhere/data"),
    port=20_000,
    command=("python3", "server.py"),
)
OTHERS = f"database_clock_{ID}"
CALLS: list[Callable[[SwarmServices], object]] = [
    lambda swarm: swarm.refuse(replace(SPEC, name=OTHERS)),
    lambda swarm: swarm.create(replace(SPEC, name=OTHERS)),
    lambda swarm: swarm.remove(OTHERS),
    lambda swarm: swarm.start(OTHERS),
    lambda swarm: swarm.stop(OTHERS),
    lambda swarm: swarm.restart(OTHERS),
    lambda swarm: swarm.state(OTHERS),
    lambda swarm: swarm.logs(OTHERS),
]


def swarm_at(url: str, timeout_s: float = 0.3) -> SwarmServices:
    return SwarmServices(load_settings(swarm_url=url, swarm_timeout_s=timeout_s))


@pytest.fixture
def silent() -> Iterator[str]:
    """A Docker that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"tcp://127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.parametrize("call", CALLS)
def test_services_of_others_are_left_alone(call: Callable[[SwarmServices], object]) -> None:
    with pytest.raises(ProviderRejected, match="does not belong to stellwerk"):
        call(swarm_at("tcp://127.0.0.1:1"))


def test_a_name_has_to_leave_room_for_its_updates() -> None:
    swarm = swarm_at("tcp://127.0.0.1:1")
    longest = "m" * 16
    swarm.refuse(replace(SPEC, module_name=longest, name=f"stellwerk_{longest}_{ID}"))
    swarm.refuse(replace(SPEC, module_name=longest, name=f"stellwerk_{longest}_{ID}_999"))

    with pytest.raises(ProviderRejected, match="by 1"):
        swarm.refuse(replace(SPEC, module_name=f"{longest}m", name=f"stellwerk_{longest}m_{ID}"))


def test_an_image_has_to_bring_a_command_that_tells_its_health() -> None:
    swarm = swarm_at("tcp://127.0.0.1:1")
    with pytest.raises(ProviderRejected, match="has to be a command"):
        swarm.refuse(replace(SPEC, image="nginx:1"))

    swarm.refuse(replace(SPEC, image="nginx:1", health=HealthCheck(command=("true",))))


def test_a_docker_that_says_nothing_is_unavailable_within_its_time(silent: str) -> None:
    began = time.monotonic()
    with pytest.raises(ProviderUnavailable, match="does not answer at tcp://"):
        swarm_at(silent).states()

    assert time.monotonic() - began < 30


def test_a_docker_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(ProviderUnavailable, match="does not answer at tcp://"):
        swarm_at("tcp://127.0.0.1:1").state(SPEC.name)


@pytest.mark.swarm
@pytest.mark.xdist_group("swarm")
def test_a_docker_without_a_swarm_says_what_to_do() -> None:
    shared_docker()  # skips where no engine works
    with lone_docker() as url, pytest.raises(ProviderRejected, match="docker swarm init"):
        swarm_at(url, timeout_s=20).states()
