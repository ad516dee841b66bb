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
from stellwerk.providers.services.protocol import HealthCheck, Limits, ServiceStatus
from stellwerk.providers.services.swarm.runtime import SwarmServices
from stellwerk.settings import load_settings
from swarm_places import MARKS, SwarmPlace, swarm_place

pytestmark = MARKS

HEALTH = HealthCheck(command=("python3", "-S", "-c", ""), interval_s=2.0)
GONE = "127.0.0.1:1/nobody/nothing:1"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwarmPlace]:
    with swarm_place(tmp_path_factory.mktemp("swarm")) as made:
        yield made


@pytest.fixture(scope="module")
def docker(place: SwarmPlace) -> Iterator[Any]:
    with closing(docker_client(place.settings["swarm_url"])) as api:
        yield api


def containers(docker: Any, name: str) -> list[Any]:
    return list(docker.containers(filters={"label": f"stellwerk.service={name}"}))


def test_a_service_is_confined(place: SwarmPlace, docker: Any) -> None:
    spec = place.running()
    (found,) = containers(docker, spec.name)

    given = docker.inspect_container(found["Id"])["HostConfig"]

    told = place.told(spec)
    assert told["uid"] == place.user_of(spec)
    assert told["writes"] == [True, False]  # its data, and not its release
    assert given["ReadonlyRootfs"]
    assert given["CapDrop"] == ["ALL"]
    assert not given["Privileged"]
    assert given["Memory"] == spec.limits.memory_bytes
    assert given["NanoCpus"] == 1_000_000_000
    assert given["PidsLimit"] == spec.limits.processes


def test_what_eats_memory_is_ended_and_started_again(place: SwarmPlace) -> None:
    spec = place.running(limits=Limits(48 * MIB, 1.0, 16))

    place.bid(spec, "eat")

    wait_until(lambda: place.state(spec).restarts == 1)
    assert "137" in place.state(spec).message


def test_what_forks_without_end_ends_with_its_service(place: SwarmPlace, docker: Any) -> None:
    limits = Limits(128 * MIB, 0.2, 16)
    spec = place.running(stop_grace_s=1.0, health=HEALTH, limits=limits)
    with suppress(requests.Timeout):
        requests.get(f"http://{place.state(spec).address}/multiply", timeout=1)
    (found,) = containers(docker, spec.name)
    assert len(docker.top(found["Id"])["Processes"]) <= limits.processes

    place.services.remove(spec.name)

    assert containers(docker, spec.name) == []


def test_an_update_that_crashes_is_rolled_back(place: SwarmPlace) -> None:
    spec = place.running()

    place.services.create(replace(spec, version="2.0.0", environment={"CRASHES": "yes"}))

    wait_until(lambda: "went back" in place.state(spec).message)
    state = place.await_status(spec, ServiceStatus.RUNNING)
    assert state.version == "1.0.0"


def test_a_module_may_come_as_an_image(place: SwarmPlace) -> None:
    spec = place.running(image=IMAGE, health=HEALTH)

    assert place.told(spec)["environment"]["MODULE_NAME"] == "probe"


def test_an_image_that_nobody_has_is_named(place: SwarmPlace) -> None:
    spec = place.spec(image=GONE, health=HEALTH)
    place.services.create(spec)

    state = place.await_status(spec, ServiceStatus.FAILED)

    assert GONE in state.message


def test_services_of_another_stack_are_not_seen(place: SwarmPlace) -> None:
    spec = place.spec()
    place.services.create(spec)
    others = SwarmServices(load_settings(**place.settings, swarm_stack="other"))

    assert spec.name in place.services.states()
    assert others.states() == {}


def test_the_network_is_made_where_it_is_missing(place: SwarmPlace, docker: Any) -> None:
    settings = load_settings(**{**place.settings, "swarm_network": "stellwerk_modules"})
    swarm = SwarmServices(settings)
    spec = place.spec()

    swarm.create(spec)

    (made,) = docker.networks(names=["stellwerk_modules"])
    assert (made["Driver"], made["Attachable"]) == ("overlay", True)
    state = swarm.state(spec.name)
    assert state
    assert state.address == f"{spec.name}:{spec.port}"
    wait_until(lambda: swarm.states()[spec.name].status is ServiceStatus.RUNNING)
