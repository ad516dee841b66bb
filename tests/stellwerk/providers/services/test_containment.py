"""Services that take more than they may, or will not end: nothing of them outlives its removal."""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from embedded import wait_until
from service_places import HEALTH, ServicePlace, process_place
from stellwerk.errors import ProviderRejected
from stellwerk.providers.services.process.runtime import ProcessServices
from stellwerk.providers.services.protocol import (
    ServiceSpec,
    ServiceStatus,
)
from stellwerk.settings import load_settings

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="users of their own need root: run as root")


@pytest.fixture(scope="module")
def whole_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServicePlace]:
    with process_place(tmp_path_factory.mktemp("place")) as place:
        yield place


@pytest.fixture
def place(whole_place: ServicePlace) -> Iterator[ServicePlace]:
    yield whole_place
    whole_place.remove_all()


def alive(spec: ServiceSpec) -> list[psutil.Process]:
    """Every process that was given this service's variables, whatever became of it."""
    return [process for process in psutil.process_iter() if is_of(spec, process)]


def is_of(spec: ServiceSpec, process: psutil.Process) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return process.environ().get("INSTANCE_ID") == spec.instance_id
    except psutil.Error:
        return False


def keeper_of(place: ServicePlace, spec: ServiceSpec) -> psutil.Process:
    keeper = psutil.Process(place.told(spec)["pid"]).parent()
    assert keeper
    return keeper


def test_a_fork_bomb_is_ended_as_soon_as_it_is_too_many(place: ServicePlace) -> None:
    spec = place.running()

    place.bid(spec, "multiply")

    wait_until(lambda: place.state(spec).restarts >= 1)
    assert "processes and threads, more than its 32." in place.state(spec).message
    place.await_status(spec, ServiceStatus.RUNNING)
    assert len(alive(spec)) == 1
    place.services.remove(spec.name)
    assert alive(spec) == []


def test_a_child_in_a_session_of_its_own_ends_with_its_service(place: ServicePlace) -> None:
    spec = place.running()
    place.ask(spec, "hide")
    wait_until(lambda: len(alive(spec)) == 2)

    place.services.stop(spec.name)

    assert alive(spec) == []


def test_a_child_that_hides_does_not_outlive_a_crash(place: ServicePlace) -> None:
    spec = place.running()
    place.ask(spec, "hide")
    wait_until(lambda: len(alive(spec)) == 2)

    place.bid(spec, "crash")

    wait_until(lambda: place.state(spec).restarts >= 1)
    place.await_status(spec, ServiceStatus.RUNNING)
    assert len(alive(spec)) == 1


def test_a_service_that_ignores_the_request_to_end_is_killed_in_time(place: ServicePlace) -> None:
    spec = place.running(stop_grace_s=0.5)
    place.ask(spec, "deafen")

    began = time.monotonic()
    place.services.stop(spec.name)

    assert 0.5 <= time.monotonic() - began < 60.0
    assert alive(spec) == []


def test_a_killed_keeper_takes_its_program_along_and_another_takes_its_place(
    place: ServicePlace,
) -> None:
    spec = place.running()
    place.ask(spec, "hide")
    wait_until(lambda: len(alive(spec)) == 2)
    keeper_of(place, spec).kill()

    state = place.await_status(spec, ServiceStatus.STOPPED)
    assert state.message == "Its keeper has ended: start it again."

    place.services.start(spec.name)
    place.await_status(spec, ServiceStatus.RUNNING)
    assert len(alive(spec)) == 1


def test_nothing_is_left_of_a_service_whose_keeper_was_killed(place: ServicePlace) -> None:
    spec = place.running()
    place.ask(spec, "hide")
    wait_until(lambda: len(alive(spec)) == 2)
    keeper_of(place, spec).kill()

    place.services.remove(spec.name)

    assert alive(spec) == []
    assert place.services.state(spec.name) is None
    assert not list(place.folder.glob(f".services/*{spec.instance_id}*"))


def test_what_a_killed_keeper_left_is_told_from_another_version_of_the_instance(
    place: ServicePlace,
) -> None:
    spec = place.running()
    port = spec.port ^ 1  # the other of its two
    other = replace(spec, name=f"{spec.name}_2", port=port, version="1.1.0")
    place.made.append(other.name)
    place.services.create(other)
    place.await_status(other, ServiceStatus.RUNNING)
    kept = place.told(other)["pid"]
    keeper_of(place, spec).kill()

    place.services.remove(spec.name)

    assert [process.pid for process in alive(spec)] == [kept]


def test_a_keeper_that_does_not_answer_is_replaced(place: ServicePlace) -> None:
    spec = place.running(stop_grace_s=0.0)
    keeper = keeper_of(place, spec)
    keeper.suspend()
    try:
        place.services.remove(spec.name)
    finally:
        if keeper.is_running():
            keeper.resume()
    assert alive(spec) == []


def test_a_program_that_is_not_there_says_so_in_the_log(place: ServicePlace) -> None:
    spec = place.spec(command=("no-such-program",), health=replace(HEALTH, retries=1))
    place.services.create(spec)

    state = place.await_status(spec, ServiceStatus.FAILED)

    assert state.message == "Ended with exit code 127."
    assert "cannot start no-such-program: No such file or directory" in place.lines(spec)


def test_a_module_without_a_command_is_refused(place: ServicePlace) -> None:
    with pytest.raises(ProviderRejected, match="names no command"):
        place.services.refuse(place.spec(command=()))
    with pytest.raises(ProviderRejected, match="No service can be called"):
        place.services.refuse(place.spec(name="../elsewhere"))


@as_root
def test_a_service_is_nobody_and_can_become_nobody_else(place: ServicePlace) -> None:
    spec = place.running()
    told = place.told(spec)
    settings = load_settings(**place.settings)

    assert told["uid"] == settings.module_user(spec.port)
    assert told["groups"] == []
    in_its_data, in_its_release = told["writes"]
    assert in_its_data
    assert not in_its_release
    status = Path(f"/proc/{told['pid']}/status").read_text()
    assert "NoNewPrivs:\t1" in status
    assert "CapEff:\t0000000000000000" in status


@as_root
def test_one_instance_sees_nothing_of_another(place: ServicePlace) -> None:
    one, other = place.running(), place.running()
    (one.data / "diary").write_text("private")
    script = f"import os; print(*(os.access(p, os.R_OK) for p in ({str(one.data)!r}, '.')))"
    curious = replace(other, version="1.1.0", command=("python3", "-S", "-c", script))

    place.services.create(curious)

    wait_until(lambda: "False True" in place.lines(other))


@as_root
def test_a_user_of_the_system_is_no_modules_user(place: ServicePlace) -> None:
    spec = place.spec()
    settings = load_settings(**place.settings, module_ports_from=spec.port)
    taken = settings.model_copy(update={"module_users_from": 65534})

    with pytest.raises(ProviderRejected, match="User 65534, for this module, is nobody here"):
        ProcessServices(taken).refuse(spec)


@as_root
def test_data_that_another_user_left_is_handed_over(place: ServicePlace) -> None:
    spec = place.spec()
    spec.data.mkdir(mode=0o700)
    (spec.data / "notes").write_text("kept")
    (spec.data / "link").symlink_to("/etc/passwd")
    for path in (spec.data, spec.data / "notes"):
        os.chown(path, 12345, 12345)

    place.services.create(spec)

    uid = load_settings(**place.settings).module_user(spec.port)
    assert {spec.data.stat().st_uid, (spec.data / "notes").stat().st_uid} == {uid}
    assert Path("/etc/passwd").stat().st_uid == 0


def test_a_signal_says_how_a_service_ended(place: ServicePlace) -> None:
    spec = place.running()

    os.kill(place.told(spec)["pid"], signal.SIGKILL)

    wait_until(lambda: place.state(spec).restarts >= 1)
    assert place.state(spec).message == "Was ended by SIGKILL."
