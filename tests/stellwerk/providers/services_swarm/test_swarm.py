"""Services on a real swarm: how they are confined, and what Docker does on its own."""

from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from typing import Any

import pytest
import requests

from docker_engine import IMAGE, docker_client
from embedded import wait_until
from service_places import MIB
from stellwerk.providers.services.protocol import (
    HealthCheck,
    Limits,
    RestartPolicy,
    ServiceSpec,
    ServiceStatus,
)
from stellwerk.providers.services.swarm.runtime import SwarmServices
from stellwerk.settings import load_settings
from swarm_places import MARKS, TRIES_ALL, SwarmPlace, swarm_place

pytestmark = MARKS

HEALTH = HealthCheck(command=("python3", "-S", "-c", ""), interval_s=1.0)
NETWORK = "stellwerk_modules"
GONE = "127.0.0.1:1/nobody/nothing:1"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwarmPlace]:
    with swarm_place(tmp_path_factory.mktemp("swarm")) as made:
        yield made


@pytest.fixture(scope="module")
def docker(place: SwarmPlace) -> Iterator[Any]:
    with closing(docker_client(place.settings["swarm_url"])) as api:
        yield api


@pytest.fixture(scope="module")
def whole(place: SwarmPlace) -> ServiceSpec:
    return place.running(limits=Limits(48 * MIB, 1.0, 16))


@pytest.fixture
def standing(place: SwarmPlace, whole: ServiceSpec) -> ServiceSpec:
    """One for several tests, each of which leaves it running."""
    place.await_status(whole, ServiceStatus.RUNNING)
    return whole


@pytest.fixture(scope="module")
def on_network(place: SwarmPlace) -> ServiceSpec:
    """One with an image of its own, on a network of its own."""
    swarm = networked(place)
    spec = place.spec(image=IMAGE, health=HEALTH)
    swarm.create(spec)
    wait_until(lambda: swarm.states()[spec.name].status is ServiceStatus.RUNNING)
    return spec


def networked(place: SwarmPlace) -> SwarmServices:
    return SwarmServices(load_settings(**{**place.settings, "swarm_network": NETWORK}))


def containers(docker: Any, name: str) -> list[Any]:
    return list(docker.containers(filters={"label": f"stellwerk.service={name}"}))


def test_a_service_is_confined(place: SwarmPlace, docker: Any, standing: ServiceSpec) -> None:
    (found,) = containers(docker, standing.name)

    given = docker.inspect_container(found["Id"])["HostConfig"]

    told = place.told(standing)
    assert told["uid"] == place.user_of(standing)
    assert told["writes"] == [True, False]  # its data, and not its release
    assert given["ReadonlyRootfs"]
    assert given["CapDrop"] == ["ALL"]
    assert not given["Privileged"]
    assert given["Memory"] == standing.limits.memory_bytes
    assert given["NanoCpus"] == 1_000_000_000
    assert given["PidsLimit"] == standing.limits.processes


def test_services_of_another_stack_are_not_seen(place: SwarmPlace, standing: ServiceSpec) -> None:
    others = SwarmServices(load_settings(**place.settings, swarm_stack="other"))

    assert standing.name in place.services.states()
    assert others.states() == {}


def test_what_eats_memory_is_ended_and_started_again(
    place: SwarmPlace, standing: ServiceSpec
) -> None:
    before = place.state(standing).restarts

    place.bid(standing, "eat")

    wait_until(lambda: place.state(standing).restarts > before)
    assert "137" in place.state(standing).message


def test_an_update_that_crashes_is_rolled_back(place: SwarmPlace, standing: ServiceSpec) -> None:
    place.services.create(replace(standing, version="2.0.0", environment={"CRASHES": "yes"}))

    wait_until(lambda: "went back" in place.state(standing).message)
    state = place.await_status(standing, ServiceStatus.RUNNING)
    assert state.version == "1.0.0"


@pytest.mark.skipif(not TRIES_ALL, reason="Docker's doing, by a limit that is set: TEST_SWARM=all")
def test_what_forks_without_end_ends_with_its_service(place: SwarmPlace, docker: Any) -> None:
    limits = Limits(128 * MIB, 0.2, 16)
    spec = place.running(stop_grace_s=1.0, health=HEALTH, limits=limits)
    with suppress(requests.Timeout):
        requests.get(f"http://{place.state(spec).address}/multiply", timeout=1)
    (found,) = containers(docker, spec.name)
    from_outside = 2  # health checks, which Docker puts there whatever the limit is
    assert len(docker.top(found["Id"])["Processes"]) <= limits.processes + from_outside

    place.services.remove(spec.name)

    assert containers(docker, spec.name) == []


def test_a_module_may_come_as_an_image(docker: Any, on_network: ServiceSpec) -> None:
    (found,) = containers(docker, on_network.name)

    assert found["Image"] == IMAGE
    given = docker.inspect_container(found["Id"])["Config"]
    assert "MODULE_NAME=probe" in given["Env"]
    assert given["Healthcheck"]["Test"] == ["CMD", *HEALTH.command]


def test_an_image_that_nobody_has_is_named(place: SwarmPlace) -> None:
    spec = place.spec(image=GONE, health=HEALTH, restart=RestartPolicy(attempts=1, delay_s=0.1))
    place.services.create(spec)

    state = place.await_status(spec, ServiceStatus.FAILED)

    assert GONE in state.message


def test_the_network_is_made_where_it_is_missing(
    place: SwarmPlace, docker: Any, on_network: ServiceSpec
) -> None:
    (made,) = docker.networks(names=[NETWORK])
    assert (made["Driver"], made["Attachable"]) == ("overlay", True)
    state = networked(place).state(on_network.name)
    assert state
    assert state.address == f"{on_network.name}:{on_network.port}"
