"""What runs is compared with what ought to: mended, marked, or reported."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import requests

from embedded import wait_until
from installations import Installations
from module_repositories import ServerModule, make_repository
from stellwerk.modules.model import ModuleInstance
from stellwerk.providers.services.place import modules_dir

ENDS = """\
import os, sys, threading
from serving import Handler, Server, who


class Answer(Handler):
    def do_GET(self):
        self.answer_json(who())

    def do_POST(self):
        print("I give up.", flush=True)
        os._exit(7)


if os.path.exists(os.environ["DATA_DIR"] + "/broken"):
    print("Broken for good.", flush=True)
    sys.exit(9)
Server(Answer).serve_until_ended()
"""


def installed(modules: Installations, folder: Path, **options: Any) -> str:
    module = ServerModule("clock", **options)
    modules.offer(make_repository(folder / "one", module))
    return modules.install("clock")


def reconciled(modules: Installations) -> dict[str, Any]:
    return modules.completed(modules.submit("reconcile"))[0]


def row(modules: Installations) -> ModuleInstance:
    with modules.platform.runtime.sessions() as session:
        (found,) = session.query(ModuleInstance).all()
        return found


def processes_of(instance_id: str) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(instance_id in part for part in process.info["cmdline"] or ())
    ]


def test_nothing_is_done_where_all_is_as_it_ought_to_be(
    modules: Installations, tmp_path: Path
) -> None:
    installed(modules, tmp_path)
    found = reconciled(modules)
    assert found == {"instances": 1, "changed": 0, "started": [], "failed": [], "orphans": []}


def test_an_instance_whose_keeper_was_killed_is_started_again(
    modules: Installations, tmp_path: Path
) -> None:
    instance_id = installed(modules, tmp_path)
    before = modules.address("clock")
    for process in processes_of(instance_id):
        with suppress(psutil.NoSuchProcess):  # some end with another
            process.kill()
    assert reconciled(modules)["started"] == [row(modules).service]
    wait_until(modules.all_run)
    assert modules.address("clock") == before
    assert requests.get(f"http://{before}/", timeout=60).json()["instance_id"] == instance_id


def test_what_ends_is_restarted_and_what_cannot_is_marked_with_its_last_lines(
    modules: Installations, tmp_path: Path
) -> None:
    installed(modules, tmp_path, program=ENDS)
    url = f"http://{modules.address('clock')}/"
    with suppress(requests.ConnectionError):
        requests.post(url, timeout=60)
    services = modules.platform.runtime.providers.services
    name = row(modules).service
    wait_until(lambda: services.states()[name].restarts == 1 and modules.all_run())
    (Path(row(modules).path) / "data" / "broken").touch()
    with suppress(requests.ConnectionError):
        requests.post(url, timeout=60)
    wait_until(lambda: services.states()[name].status == "failed", timeout_s=60)
    assert reconciled(modules)["failed"] == [name]
    ill = row(modules)
    assert (ill.status, ill.health) == ("error", "unhealthy")
    assert "exit code 9" in ill.message
    assert "Broken for good." in ill.last_log
    assert reconciled(modules)["failed"] == []  # it is no news


def test_what_nobody_wrote_down_is_reported_and_stays(
    modules: Installations, tmp_path: Path
) -> None:
    installed(modules, tmp_path)
    folder = modules_dir(modules.platform.settings) / f"stray_{'a' * 32}"
    folder.mkdir()
    try:
        assert reconciled(modules)["orphans"] == [f"folder {folder.name}"]
        assert folder.exists()
    finally:
        folder.rmdir()


def test_what_was_stopped_and_runs_all_the_same_is_stopped(
    modules: Installations, tmp_path: Path
) -> None:
    instance_id = installed(modules, tmp_path)
    about = {"module_name": "clock", "instance_id": instance_id}
    modules.completed(modules.submit("stop", **about))
    services = modules.platform.runtime.providers.services
    services.start(row(modules).service)
    reconciled(modules)
    assert services.states()[row(modules).service].status == "stopped"
