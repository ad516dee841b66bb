"""What every runtime of modules does, seen through one small server that it runs."""

import pickle
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from embedded import wait_until
from service_places import HEALTH, RESTART, ServicePlace
from stellwerk.errors import NotFound
from stellwerk.providers.services.protocol import HealthCheck, ServiceSpec, ServiceStatus
from swarm_places import EVERY_PLACE, EVERYWHERE, skip_what_docker_does

CREATOR = """
import pickle, sys
from stellwerk.providers.services.choice import services
from stellwerk.settings import load_settings
given, spec = pickle.load(sys.stdin.buffer)
services(load_settings(**given)).create(spec)
print("made", flush=True)
sys.stdin.buffer.read()
"""


@pytest.fixture(scope="module", params=EVERYWHERE)
def whole_place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServicePlace]:
    with EVERY_PLACE[request.param](tmp_path_factory.mktemp(request.param)) as place:
        yield place


@pytest.fixture
def place(request: pytest.FixtureRequest, whole_place: ServicePlace) -> Iterator[ServicePlace]:
    skip_what_docker_does(request, whole_place)
    yield whole_place
    whole_place.remove_all()


@pytest.fixture(scope="module")
def standing(whole_place: ServicePlace) -> ServiceSpec:
    """One for all tests that only look."""
    spec = whole_place.running(environment={"GREETING": "good morning"})
    whole_place.made.remove(spec.name)
    return spec


@pytest.fixture(scope="module", autouse=True)
def _standing_ends(whole_place: ServicePlace, standing: ServiceSpec) -> Iterator[None]:
    yield
    whole_place.made.append(standing.name)
    whole_place.remove_all()


@pytest.fixture(scope="module")
def changed(whole_place: ServicePlace) -> Iterator[list[ServiceSpec]]:
    """At most one, which is `used`."""
    specs: list[ServiceSpec] = []
    yield specs
    whole_place.made += [spec.name for spec in specs]
    whole_place.remove_all()


@pytest.fixture
def used(place: ServicePlace, changed: list[ServiceSpec]) -> Iterator[ServiceSpec]:
    """One that runs and may be changed: the next test takes it as it is left.

    Each start takes seconds on a swarm. Tests that update it come last: Docker goes on to watch an
    update, and takes it back for whatever happens then.
    """
    if not changed:
        often = replace(RESTART, attempts=9)
        changed.append(place.running(health=replace(HEALTH, retries=1), restart=often))
    (spec,) = changed
    place.made = [name for name in place.made if name != spec.name]
    place.await_status(spec, ServiceStatus.RUNNING)
    yield spec
    if place.services.state(spec.name) is None:
        changed.clear()


def test_a_service_that_answers_is_running(place: ServicePlace, standing: ServiceSpec) -> None:
    state = place.state(standing)

    assert (state.module_name, state.instance_id, state.version) == (
        standing.module_name,
        standing.instance_id,
        standing.version,
    )
    assert state.status is ServiceStatus.RUNNING
    assert state.restarts == 0
    assert state.started_at
    assert place.services.states()[standing.name] == state


def test_a_service_is_given_its_own_variables_alone(
    place: ServicePlace, standing: ServiceSpec
) -> None:
    given = place.told(standing)["environment"]

    assert given["GREETING"] == "good morning"
    assert given["PORT"] == str(standing.port)
    assert given["MODULE_NAME"] == "probe"
    assert given["MODULE_VERSION"] == "1.0.0"
    assert given["INSTANCE_ID"] == standing.instance_id
    assert not [name for name in given if name.startswith("STELLWERK")]


def test_a_service_may_write_in_its_data(place: ServicePlace, standing: ServiceSpec) -> None:
    in_its_data, _ = place.told(standing)["writes"]

    assert in_its_data


def test_a_service_that_is_there_is_left_alone_when_it_is_created_again(
    place: ServicePlace, standing: ServiceSpec
) -> None:
    before = place.told(standing)["pid"], place.state(standing).started_at

    place.services.create(standing)

    assert (place.told(standing)["pid"], place.state(standing).started_at) == before


def test_two_creations_at_once_make_one_service(place: ServicePlace) -> None:
    spec = place.spec()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(place.services.create, (spec, spec)))

    place.await_status(spec, ServiceStatus.RUNNING)
    assert place.state(spec).restarts == 0
    assert place.lines(spec).count("listening") == 1


def test_a_service_that_fails_its_health_check_is_started_again(
    place: ServicePlace, used: ServiceSpec
) -> None:
    before = place.state(used).restarts

    place.ask(used, "sicken")

    wait_until(lambda: place.state(used).restarts > before)
    assert place.await_status(used, ServiceStatus.RUNNING).restarts > before


@pytest.mark.not_in_a_swarm("that of an image is one, and is tried with the swarm's own tests")
def test_a_health_check_may_be_a_command(place: ServicePlace) -> None:
    command = ("python3", "-S", "-c", "import sys, os; sys.exit(not os.environ['PORT'])")
    health = HealthCheck(command=command, interval_s=2.0)

    spec = place.running(health=health)

    assert place.state(spec).status is ServiceStatus.RUNNING


@pytest.mark.not_in_a_swarm(
    "what eats memory ends as well, and is tried with the swarm's own tests"
)
def test_a_service_that_crashes_is_started_again_and_keeps_its_address(
    place: ServicePlace, used: ServiceSpec
) -> None:
    before = place.state(used)

    place.bid(used, "crash")

    wait_until(lambda: place.state(used).restarts > before.restarts)
    state = place.await_status(used, ServiceStatus.RUNNING)
    assert state.address == before.address
    assert "3" in state.message


def test_a_service_that_crashes_again_and_again_has_failed(place: ServicePlace) -> None:
    spec = place.spec(environment={"CRASHES": "yes"}, restart=replace(RESTART, attempts=1))
    place.services.create(spec)

    state = place.await_status(spec, ServiceStatus.FAILED)

    assert "7" in state.message
    assert place.lines(spec).count("these are its last words") == 2


def test_a_stopped_service_stays_so_until_it_is_started(
    place: ServicePlace, used: ServiceSpec
) -> None:
    address = place.state(used).address

    place.services.stop(used.name)
    place.services.stop(used.name)
    assert place.state(used).status is ServiceStatus.STOPPED
    assert place.lines(used)

    place.services.start(used.name)
    place.services.start(used.name)
    assert place.await_status(used, ServiceStatus.RUNNING).address == address


@pytest.mark.not_in_a_swarm("a restart is a stop and a start; the container manager lets one pass")
def test_a_restart_is_another_process_at_the_same_address(
    place: ServicePlace, used: ServiceSpec
) -> None:
    before = place.state(used)

    place.services.restart(used.name)

    after = place.await_status(used, ServiceStatus.RUNNING)
    assert after.address == before.address
    assert after.started_at
    assert before.started_at
    assert after.started_at > before.started_at


def test_who_is_not_there_cannot_be_started(place: ServicePlace) -> None:
    spec = place.spec()
    for change in (place.services.start, place.services.stop, place.services.restart):
        with pytest.raises(NotFound):
            change(spec.name)


def test_a_log_is_read_from_its_end_and_on_from_a_cursor(
    place: ServicePlace, used: ServiceSpec
) -> None:
    for word in ("one", "two", "three"):
        place.ask(used, f"say/{word}")
    wait_until(lambda: "three" in place.lines(used))

    page = place.services.logs(used.name, tail=2)
    assert list(page.lines) == ["two", "three"]
    nothing = place.services.logs(used.name, cursor=page.cursor)
    assert list(nothing.lines) == []

    for word in ("four", "five", "six"):
        place.ask(used, f"say/{word}")
    wait_until(lambda: "six" in place.lines(used))
    on = place.services.logs(used.name, tail=2, cursor=nothing.cursor)
    assert list(on.lines) == ["four", "five"]
    assert list(place.services.logs(used.name, cursor=on.cursor).lines) == ["six"]


def test_another_version_takes_the_place_of_the_one_before(
    place: ServicePlace, used: ServiceSpec
) -> None:
    place.services.create(replace(used, version="1.1.0"))

    wait_until(lambda: place.state(used).version == "1.1.0")
    place.await_status(used, ServiceStatus.RUNNING)
    assert place.told(used)["environment"]["MODULE_VERSION"] == "1.1.0"


def test_nothing_is_left_of_a_removed_service(place: ServicePlace, used: ServiceSpec) -> None:
    place.services.remove(used.name)
    place.services.remove(used.name)

    assert place.services.state(used.name) is None
    assert used.name not in place.services.states()
    with pytest.raises(NotFound):
        place.services.logs(used.name)


@pytest.mark.not_in_a_swarm("Docker keeps services, whoever made them")
def test_a_service_survives_whoever_made_it(place: ServicePlace) -> None:
    spec = place.spec()
    order = pickle.dumps((dict(place.settings), spec))
    with subprocess.Popen(  # noqa: S603  our own script, above
        [sys.executable, "-c", CREATOR], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as creator:
        assert creator.stdin
        assert creator.stdout
        creator.stdin.write(order)
        creator.stdin.flush()
        assert creator.stdout.readline() == b"made\n"
        creator.kill()

    place.await_status(spec, ServiceStatus.RUNNING)
    assert place.told(spec)["environment"]["INSTANCE_ID"] == spec.instance_id
