"""What a service may take of the machine: memory, room for its log, and its own port."""

import ctypes
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from embedded import wait_until
from service_places import HEALTH, MIB, ServicePlace, process_place
from stellwerk.providers.services.process.runtime import ProcessServices
from stellwerk.providers.services.protocol import HealthCheck, Limits, RestartPolicy, ServiceStatus
from stellwerk.settings import load_settings

IMPATIENT = replace(HEALTH, retries=1, start_period_s=0.0)
ONCE = RestartPolicy(attempts=0)
LANDLOCK_CREATE_RULESET, ITS_VERSION, WITH_PORTS = 444, 1, 4

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="users of their own need root: run as root")


def may_mount() -> bool:
    return subprocess.run(["/usr/bin/unshare", "--mount", "true"], check=False).returncode == 0


@pytest.fixture(scope="module")
def whole_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServicePlace]:
    with process_place(tmp_path_factory.mktemp("place")) as place:
        yield place


@pytest.fixture
def place(whole_place: ServicePlace) -> Iterator[ServicePlace]:
    yield whole_place
    whole_place.remove_all()


def test_what_eats_memory_is_ended_and_started_again(place: ServicePlace) -> None:
    spec = place.running(limits=Limits(64 * MIB, 1.0, 32))

    place.bid(spec, "eat")

    wait_until(lambda: place.state(spec).restarts >= 1)
    message = place.state(spec).message
    assert "memory" in message
    assert "than its 64 MiB." in message
    assert place.await_status(spec, ServiceStatus.RUNNING).restarts >= 1


HOARDER = """
import os, time
handle = os.memfd_create('hoard')
for _ in range(96):
    os.write(handle, bytes(1024**2))
time.sleep(600)
"""


def test_memory_that_is_only_kept_open_counts(place: ServicePlace) -> None:
    spec = place.spec(
        command=("python3", "-S", "-c", HOARDER), restart=ONCE, limits=Limits(64 * MIB, 1.0, 32)
    )
    place.services.create(spec)

    state = place.await_status(spec, ServiceStatus.FAILED)

    assert "memory" in state.message
    assert "than its 64 MiB." in state.message


def test_a_service_that_says_too_much_keeps_what_it_said_last(place: ServicePlace) -> None:
    script = (
        "print(('x' * 1023 + '\\n') * 7_000 + 'done', flush=True); import time; time.sleep(600)"
    )
    spec = place.spec(command=("python3", "-S", "-c", script))
    place.services.create(spec)

    wait_until(lambda: place.services.logs(spec.name, tail=1).lines == ["done"])
    files = list(place.folder.glob(f".services/{spec.name}/log.*"))
    assert len(files) == 2
    assert sum(path.stat().st_size for path in files) < 8 * MIB


BINDER = """
import os, socket
own = int(os.environ['PORT'])
for port in (own, own ^ 1, 0):
    try:
        socket.socket().bind(('127.0.0.1', port))
        print('taken')
    except PermissionError:
        print('refused')
"""


def knows_rules_of_ports() -> bool:
    version = ctypes.CDLL(None).syscall(LANDLOCK_CREATE_RULESET, None, 0, ITS_VERSION)
    return int(version) >= WITH_PORTS


@pytest.mark.skipif(not knows_rules_of_ports(), reason="a rule about ports needs Linux 6.7")
def test_a_service_takes_no_port_but_its_own(place: ServicePlace) -> None:
    spec = place.spec(command=("python3", "-S", "-c", BINDER), restart=ONCE)
    place.services.create(spec)

    place.await_status(spec, ServiceStatus.FAILED)

    assert place.lines(spec) == ["taken", "refused", "taken"]


@as_root
def test_a_service_is_not_well_because_another_program_answers_on_its_port(
    place: ServicePlace,
) -> None:
    impostor = place.running()
    spec = place.spec(port=impostor.port, command=("sleep", "600"), health=IMPATIENT, restart=ONCE)
    settings = load_settings(**place.settings)
    users_from = settings.module_users_from + 1
    ProcessServices(settings.model_copy(update={"module_users_from": users_from})).create(spec)

    state = place.await_status(spec, ServiceStatus.FAILED)

    assert state.message == f"Not healthy: port {spec.port} is another program's."


LITTERER = """
import os, time
for folder in ('/tmp', '/var/tmp', '/dev/shm'):
    with open(f'{folder}/' + os.environ['INSTANCE_ID'], 'w') as file:
        file.write('left')
time.sleep(600)
"""


@pytest.mark.skipif(not may_mount(), reason="folders of its own need root, and mounts")
def test_what_a_service_leaves_in_temporary_folders_is_seen_by_its_health_check_alone(
    place: ServicePlace,
) -> None:
    spec = place.spec()
    script = "test -e /tmp/$INSTANCE_ID && test -e /var/tmp/$INSTANCE_ID"
    looking = replace(
        spec,
        command=("python3", "-S", "-c", LITTERER),
        health=HealthCheck(command=("sh", "-c", script), interval_s=1.0),
    )
    place.services.create(looking)

    place.await_status(spec, ServiceStatus.RUNNING)

    for folder in (Path("/tmp"), Path("/var/tmp"), Path("/dev/shm")):  # noqa: S108  what it is about
        assert not (folder / spec.instance_id).exists()


@as_root
def test_a_service_that_shares_temporary_folders_is_given_one_of_its_data(
    place: ServicePlace,
) -> None:
    script = 'touch "$TMPDIR/mine" && echo "$TMPDIR"'
    needs_it = ("sh", "-c", script, "/tmp/what-it-runs-lies-there")  # noqa: S108  not made
    spec = place.spec(command=needs_it, restart=ONCE)
    place.services.create(spec)

    place.await_status(spec, ServiceStatus.FAILED)

    assert place.lines(spec) == [str(spec.data / "tmp")]
