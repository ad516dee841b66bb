"""Services of modules live from `stellwerk up` to its end, and again from the next."""

import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from embedded import wait_until
from service_places import ServicePlace
from stack_runs import ENDED_WITHIN_S, all_gone, stack
from stellwerk.providers.services.choice import services
from stellwerk.providers.services.place import modules_dir
from stellwerk.providers.services.process.keepers import end_keepers, services_in
from stellwerk.providers.services.protocol import ServiceSpec, ServiceStatus
from stellwerk.settings import load_settings


@pytest.fixture(autouse=True)
def _no_keeper_stays(home: Path) -> Iterator[None]:
    yield
    end_keepers(services_in(modules_dir(load_settings(home=home))))


def place_in(home: Path) -> ServicePlace:
    settings = load_settings(home=home)
    return ServicePlace(services(settings), {"home": home}, modules_dir(settings))


def processes_of(place: ServicePlace, spec: ServiceSpec) -> list[psutil.Process]:
    child = psutil.Process(place.told(spec)["pid"])
    return [child, *child.parents()[:1]]


def test_services_end_with_the_stack_and_come_back_with_it(home: Path, procfile: Path) -> None:
    with stack(home, procfile) as run:
        place = place_in(home)
        spec, resting = place.running(), place.running()
        place.services.stop(resting.name)
        processes = processes_of(place, spec)
        assert run.end(signal.SIGINT) == 0
        wait_until(lambda: all_gone(processes))

    with stack(home, procfile) as run:
        state = place.await_status(spec, ServiceStatus.RUNNING)
        assert state.address == f"127.0.0.1:{spec.port}"
        assert place.state(resting).status is ServiceStatus.STOPPED
        processes = processes_of(place, spec)
        run.process.kill()
        run.process.wait(ENDED_WITHIN_S)
        wait_until(lambda: all_gone(processes))
        place.remove_all()
