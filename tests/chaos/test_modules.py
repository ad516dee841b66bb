"""Workers die between any two steps on a module, and within them: it is done once, or undone."""

import signal
from functools import partial
from pathlib import Path
from uuid import UUID

import psutil
import pytest

from embedded import wait_until
from engine import Engine
from installations import NOTHING, Installations
from module_repositories import ServerModule, make_repository
from stellwerk.bootstrap import Platform
from stellwerk.jobs import control
from stellwerk.jobs.crash_points import CrashPoint

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(280)]

INTO_PLACE = ("resolve", "download", "verify", "unpack", "create service", "health")
REMOVED = ("close", "remove services", "remove files")
INSTALL = [
    *((CrashPoint.BETWEEN_STEPS, step) for step in (*INTO_PLACE, "register")),
    *((CrashPoint.WITHIN_STEP, step) for step in ("unpack", "create service", "register")),
]
UPDATE = [
    *((CrashPoint.BETWEEN_STEPS, step) for step in (*INTO_PLACE, "switch")),
    *((CrashPoint.WITHIN_STEP, step) for step in ("create service", "switch", "retire")),
]
UNINSTALL = [
    *((CrashPoint.BETWEEN_STEPS, step) for step in REMOVED),
    *((CrashPoint.WITHIN_STEP, step) for step in REMOVED[1:]),
]
Death = tuple[CrashPoint, str]


class Deaths:
    """Armed crash points, and whether they were passed."""

    def __init__(self, platform: Platform) -> None:
        assert platform.settings.crash_folder
        self._folder = platform.settings.crash_folder
        self._armed: list[Path] = []

    def at(self, death: Death, job_id: UUID, by: str = "SIGKILL") -> None:
        point, step = death
        (self._folder / f"{point}~{step}.{job_id}").write_text(by)
        self._armed.append(self._folder / f"{point}~{step}.{job_id}.fired")

    def missed(self) -> list[str]:
        return [path.name for path in self._armed if not path.exists()]


def test_whoever_dies_each_module_is_installed_updated_and_removed_once(
    modules: Installations, tmp_path: Path
) -> None:
    names = [f"m{number}" for number in range(len(INSTALL))]
    repository = tmp_path / "deadly"
    make_repository(repository, *(ServerModule(name) for name in names))
    repository_id = modules.offer(repository)
    deaths = Deaths(modules.platform)

    done = {
        name: modules.submit("install", partial(deaths.at, death), module_name=name)
        for name, death in zip(names, INSTALL, strict=True)
    }
    modules.completed(*done.values())
    assert deaths.missed() == []
    for name, job_id in done.items():
        there = modules.there(name)
        assert there.version == "1.0.0", name
        assert there.instances == there.services == there.slots == (job_id.hex,), name
        assert (len(there.folders), len(there.releases)) == (1, 1), name
    assert modules.is_tidy()

    make_repository(repository, *(ServerModule(name, "2.0.0") for name in names))
    modules.completed(modules.submit("sync", repository_id=repository_id))
    updates = [
        modules.submit("update", partial(deaths.at, death), module_name=name)
        for name, death in zip(names, UPDATE, strict=True)
    ]
    modules.completed(*updates)
    assert deaths.missed() == []
    for name, job_id in done.items():
        there = modules.there(name)
        assert there.version == "2.0.0", name
        assert there.instances == there.services == there.slots == (job_id.hex,), name
        assert [release[:5] for release in there.releases] == ["2.0.0"], name
    assert modules.is_tidy()
    wait_until(modules.all_run)

    removals = [
        modules.submit("uninstall", partial(deaths.at, death), module_name=name)
        for name, death in zip(names, UNINSTALL * 2, strict=True)
    ]
    modules.completed(*removals)
    assert deaths.missed() == []
    assert [name for name in names if modules.there(name) != NOTHING] == []
    assert modules.is_tidy()


def test_an_install_that_is_cancelled_where_its_worker_died_is_undone(
    modules: Installations, tmp_path: Path
) -> None:
    steps = ("download", "create service", "register")
    repository = make_repository(tmp_path / "deadly", *map(ServerModule, ("a", "b", "c")))
    modules.offer(repository)
    deaths = Deaths(modules.platform)
    jobs = {
        name: modules.submit(
            "install",
            partial(deaths.at, (CrashPoint.BETWEEN_STEPS, step)),
            module_name=name,
        )
        for name, step in zip("abc", steps, strict=True)
    }
    wait_until(lambda: not deaths.missed(), timeout_s=60)
    for job_id in jobs.values():
        control.cancel(modules.platform.runtime, job_id)
    ended = modules.ended(*jobs.values())
    assert [job.status for job in ended] == ["cancelled"] * 3
    assert [modules.there(name) for name in "abc"] == [NOTHING] * 3
    assert modules.is_tidy()


def test_a_worker_that_thaws_when_others_have_done_its_work_changes_nothing(
    modules: Installations, engine: Engine, tmp_path: Path
) -> None:
    repository = make_repository(tmp_path / "frozen", *map(ServerModule, ("kept", "gone")))
    modules.offer(repository)
    deaths = Deaths(modules.platform)
    freeze = partial(deaths.at, (CrashPoint.WITHIN_STEP, "create service"), by="SIGSTOP")
    installs = {
        name: modules.submit("install", freeze, module_name=name) for name in ("kept", "gone")
    }
    first = engine.processes["long"]
    slots = psutil.Process(first.pid).children()
    wait_until(lambda: all(one.status() == psutil.STATUS_STOPPED for one in slots), timeout_s=60)
    engine.start("long")  # another worker
    modules.completed(*installs.values())
    modules.completed(modules.submit("uninstall", module_name="gone"))
    before = modules.there("kept")
    assert before.instances == before.services == (installs["kept"].hex,)
    for slot in slots:
        slot.send_signal(signal.SIGCONT)
    first.terminate()
    first.wait(timeout=60)  # until what it had begun has come to its end

    assert slots
    assert modules.there("kept") == before
    assert modules.there("gone") == NOTHING
    assert modules.is_tidy()
    wait_until(modules.all_run)
