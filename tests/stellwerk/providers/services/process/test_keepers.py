"""Keepers that are started and ended where something is not as it should be."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
import requests

from embedded import wait_until
from service_places import ServicePlace, process_place
from stellwerk.errors import ProviderUnavailable
from stellwerk.providers.services.process import entry
from stellwerk.providers.services.process.keepers import SERVICES, end_keepers
from stellwerk.providers.services.process.records import Records
from stellwerk.providers.services.protocol import ServiceSpec, ServiceStatus


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServicePlace]:
    with process_place(tmp_path_factory.mktemp("place")) as place:
        yield place


@pytest.fixture(scope="module")
def spec(place: ServicePlace) -> ServiceSpec:
    return place.running()


def records(place: ServicePlace, name: str) -> Records:
    return Records(place.folder / SERVICES / name)


def changed(one: Records, file: str, **changes: object) -> None:
    path = one.path / file
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_service_is_found_as_another_release_wrote_it_down(
    place: ServicePlace, spec: ServiceSpec
) -> None:
    one = records(place, spec.name)
    task = one.task()
    assert task
    document = json.loads((one.path / "task.json").read_text())
    del document["spec"]["stop_grace_s"]
    document["spec"]["health"]["new"] = document["spec"]["new"] = document["new"] = 1
    (one.path / "task.json").write_text(json.dumps(document))
    changed(one, "course.json", new=1)

    read = one.task()

    assert read
    assert read.spec.stop_grace_s == ServiceSpec.__dataclass_fields__["stop_grace_s"].default
    assert place.state(spec).status is ServiceStatus.RUNNING
    one.write_task(task)


def test_a_service_that_cannot_be_read_is_told_and_made_anew(place: ServicePlace) -> None:
    spec = place.spec()
    one = records(place, spec.name)
    one.make()
    (one.path / "task.json").write_text('{"spec": {}}')

    state = place.services.states()[spec.name]
    assert state.status is ServiceStatus.STOPPED
    assert "This release cannot read" in state.message

    place.services.create(spec)
    place.await_status(spec, ServiceStatus.RUNNING)
    place.services.remove(spec.name)


def test_a_keeper_that_nobody_waits_for_starts_nothing(
    place: ServicePlace, spec: ServiceSpec
) -> None:
    place.services.stop(spec.name)
    command = [sys.executable, "-I", "-S", entry.__file__, str(records(place, spec.name).path)]

    ended = subprocess.run(command, stdin=subprocess.DEVNULL, check=False)  # noqa: S603  our own script

    assert ended.returncode == 1
    assert place.lines(spec).count("listening") == 1
    place.services.start(spec.name)
    place.await_status(spec, ServiceStatus.RUNNING)


def test_a_keeper_goes_on_while_nothing_can_be_written(
    place: ServicePlace, spec: ServiceSpec
) -> None:
    before = place.lines(spec).count("listening")
    course = records(place, spec.name).path / "course.json"
    course.unlink()
    (course / "in the way").mkdir(parents=True)
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{spec.port}/crash", timeout=60)
    wait_until(lambda: place.lines(spec).count("listening") == before + 1)

    (course / "in the way").rmdir()
    course.rmdir()

    wait_until(lambda: place.state(spec).restarts == 1)
    place.await_status(spec, ServiceStatus.RUNNING)


def test_all_are_ended_though_one_cannot_be(place: ServicePlace, spec: ServiceSpec) -> None:
    lost = records(place, "lost")
    lost.make()
    (lost.path / "course.json").write_text('{"keeper": 0, "status": "running", "program": 1}')

    with pytest.raises(ProviderUnavailable, match="Processes of lost do not end"):
        end_keepers([lost, records(place, spec.name)])

    assert not records(place, spec.name).has_keeper()
