"""Operations that are cancelled, tried again, planned for later, or overtaken by others."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest

from embedded import wait_until
from installations import NOTHING, Installations
from module_repositories import ServerModule, make_repository
from stellwerk.clock import utc_now
from stellwerk.errors import Conflict, ErrorCode
from stellwerk.jobs import control
from stellwerk.jobs.crash_points import CrashPoint
from stellwerk.jobs.submission import Submission, submit


def dying(modules: Installations, point: CrashPoint, step: str) -> Callable[[UUID], None]:
    """Have the worker of a job die at a step."""
    folder = modules.platform.settings.crash_folder
    assert folder

    def arm(job_id: UUID) -> None:
        (folder / f"{point}~{step}.{job_id}").touch()

    return arm


def has_died(modules: Installations, job_id: UUID) -> bool:
    folder = modules.platform.settings.crash_folder
    return folder is not None and any(folder.glob(f"*.{job_id}.fired"))


def cancelled_where_it_died(modules: Installations, job_id: UUID) -> None:
    wait_until(partial(has_died, modules, job_id), timeout_s=60)
    control.cancel(modules.platform.runtime, job_id)
    (job,) = modules.ended(job_id)
    assert job.status == "cancelled"


def newer(modules: Installations, repository: Path, repository_id: int, version: str) -> None:
    make_repository(repository, ServerModule("clock", version))
    modules.completed(modules.submit("sync", repository_id=repository_id))


def test_what_is_tried_again_is_verified_again(modules: Installations, tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "changing", ServerModule("clock"))
    modules.offer(repository)
    arm = dying(modules, CrashPoint.BETWEEN_STEPS, "health")
    job_id = modules.submit("install", arm, module_name="clock")
    cancelled_where_it_died(modules, job_id)
    archive = repository / "clock-1.0.0.tar.gz"
    content = archive.read_bytes()
    archive.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    control.retry(modules.platform.runtime, job_id)
    (job,) = modules.ended(job_id)
    assert job.error
    assert job.error["code"] == "MODULE_CHECKSUM_WRONG"
    assert modules.there("clock") == NOTHING
    archive.write_bytes(content)
    control.retry(modules.platform.runtime, job_id)
    modules.completed(job_id)
    assert modules.there("clock").services == (job_id.hex,)


def test_an_update_that_is_cancelled_where_it_was_switched_is_switched_back(
    modules: Installations, tmp_path: Path
) -> None:
    repository = make_repository(tmp_path / "versions", ServerModule("clock"))
    repository_id = modules.offer(repository)
    instance_id = modules.install("clock")
    newer(modules, repository, repository_id, "2.0.0")
    arm = dying(modules, CrashPoint.WITHIN_STEP, "switch")
    cancelled_where_it_died(modules, modules.submit("update", arm, module_name="clock"))
    there = modules.there("clock")
    assert (there.version, there.services) == ("1.0.0", (instance_id,))
    assert [release[:5] for release in there.releases] == ["1.0.0"]
    assert modules.is_tidy()
    wait_until(modules.all_run)


def test_a_cancel_that_comes_after_the_switch_comes_too_late(
    modules: Installations, tmp_path: Path
) -> None:
    repository = make_repository(tmp_path / "versions", ServerModule("clock"))
    repository_id = modules.offer(repository)
    modules.install("clock")
    newer(modules, repository, repository_id, "2.0.0")
    job_id = modules.submit("update", module_name="clock")
    wait_until(lambda: modules.there("clock").version == "2.0.0", timeout_s=60)
    with suppress(Conflict):  # it has ended already
        control.cancel(modules.platform.runtime, job_id)
    (job,) = modules.ended(job_id)
    version = {"completed": "2.0.0", "cancelled": "1.0.0"}[job.status]
    there = modules.there("clock")
    assert (there.version, len(there.services)) == (version, 1)
    assert [release[:5] for release in there.releases] == [version]
    assert modules.is_tidy()


def test_what_is_planned_for_tomorrow_holds_nobody_up_today(
    modules: Installations, tmp_path: Path
) -> None:
    modules.offer(make_repository(tmp_path / "one", ServerModule("clock")))
    payload = {"module_name": "clock"}
    tomorrow = utc_now() + timedelta(days=1)
    planned = Submission("modules.install", payload, owner_id=None, run_at=tomorrow)
    submit(modules.platform.runtime, planned)
    modules.install("clock")
    assert modules.there("clock").version == "1.0.0"


def test_what_others_changed_since_is_not_tried_again(
    modules: Installations, tmp_path: Path
) -> None:
    modules.offer(make_repository(tmp_path / "one", ServerModule("clock")))
    instance_id = modules.install("clock")
    arm = dying(modules, CrashPoint.WITHIN_STEP, "remove services")
    job_id = modules.submit("uninstall", arm, module_name="clock")
    cancelled_where_it_died(modules, job_id)
    about = {"module_name": "clock", "instance_id": instance_id}
    modules.completed(modules.submit("start", **about))
    with pytest.raises(Conflict) as told:
        control.retry(modules.platform.runtime, job_id)
    assert told.value.code is ErrorCode.JOB_NOT_RETRYABLE
    assert modules.there("clock").services == (instance_id,)
    wait_until(modules.all_run)


def test_an_update_leaves_what_others_can_use(modules: Installations, tmp_path: Path) -> None:
    repository = tmp_path / "needs"
    page = ServerModule("page", dependencies=["clock<2"])
    make_repository(repository, page, ServerModule("clock", "1.5.0"))
    repository_id = modules.offer(repository)
    modules.install("page")
    newer(modules, repository, repository_id, "2.0.0")
    with pytest.raises(Conflict) as told:
        modules.submit("update", module_name="clock")
    assert told.value.code is ErrorCode.MODULE_NEEDED
    newer(modules, repository, repository_id, "1.2.0")
    with pytest.raises(Conflict) as told:
        modules.submit("update", module_name="clock", version="1.5.0")
    assert told.value.code is ErrorCode.MODULE_UP_TO_DATE
    modules.completed(modules.submit("update", module_name="clock", version="1.2.0"))
    assert modules.there("clock").version == "1.2.0"
