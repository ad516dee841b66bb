"""What nobody wrote down is reported, and nothing that somebody is at work on."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import update

from module_rows import add_module, forget_modules
from remembered_services import RememberedServices, running_on
from stellwerk.bootstrap import Platform
from stellwerk.errors import ProviderUnavailable
from stellwerk.jobs.model import Job
from stellwerk.jobs.runtime import Runtime
from stellwerk.jobs.submission import Submission, submit
from stellwerk.modules.model import ModuleOperation, ModuleSlot
from stellwerk.modules.names import folder_name
from stellwerk.modules.orphans import STAGING, orphans
from stellwerk.providers.services.protocol import ServiceState, ServiceStatus

NOBODY = "a" * 32
STRAY = folder_name("clock", NOBODY)
RELEASE = "releases/1.0.0"  # of instances that are only written down


@pytest.fixture
def services() -> RememberedServices:
    return RememberedServices()


@pytest.fixture
def runtime(platform: Platform, services: RememberedServices, tmp_path: Path) -> Iterator[Runtime]:
    forget_modules(platform)
    settings = platform.settings.model_copy(update={"modules_dir": tmp_path})
    yield replace(running_on(platform.runtime, services), settings=settings)
    forget_modules(platform)


def found(runtime: Runtime) -> list[tuple[str, str, str]]:
    return [(one.kind.value, one.name, one.module_name) for one in orphans(runtime)]


def keep_slot(runtime: Runtime, instance_id: str, module_name: str = "clock") -> None:
    with runtime.sessions.begin() as session:
        session.add(ModuleSlot(slot=7, instance_id=instance_id, module_name=module_name))


def operation(runtime: Runtime, *, is_active: bool) -> UUID:
    """A job about the clock, which a worker has begun."""
    job_id = submit(runtime, Submission("modules.reconcile", {}, owner_id=None))
    with runtime.sessions.begin() as session:
        session.add(ModuleOperation(job_id=job_id, module_name="clock", is_active=is_active))
        session.execute(update(Job).where(Job.id == job_id).values(attempt=1))
    return job_id


def test_where_nothing_was_ever_installed_there_is_nothing_strange(
    runtime: Runtime, tmp_path: Path
) -> None:
    nowhere = runtime.settings.model_copy(update={"modules_dir": tmp_path / "none"})
    assert found(replace(runtime, settings=nowhere)) == []
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("is_at_work", [False, True])
def test_each_kind_is_found_unless_an_operation_is_at_work(
    platform: Platform,
    runtime: Runtime,
    services: RememberedServices,
    tmp_path: Path,
    is_at_work: bool,  # noqa: FBT001  a parameter of the test
) -> None:
    job_id = operation(runtime, is_active=is_at_work)
    (instance_id,) = add_module(platform, "clock")
    mine = folder_name("clock", instance_id)
    old = f"{mine}/releases/0.9.0"
    staging = f"{STAGING}/{job_id}"
    for path in (f"{mine}/{RELEASE}", old, f"{STRAY}/{RELEASE}", staging, ".kept"):
        (tmp_path / path).mkdir(parents=True)
    service = ServiceState(
        "by_hand", "clock", NOBODY, "1.0.0", ServiceStatus.RUNNING, "127.0.0.1:9"
    )
    services.there[service.name] = service
    keep_slot(runtime, NOBODY)
    strange = [
        ("service", service.name, "clock"),
        ("folder", STRAY, "clock"),
        ("release", old, "clock"),
        ("staging", staging, "clock"),
        ("slot", NOBODY, "clock"),
    ]
    assert found(runtime) == ([] if is_at_work else strange)


def test_a_slot_of_an_instance_is_its_own(platform: Platform, runtime: Runtime) -> None:
    (instance_id,) = add_module(platform, "clock")
    keep_slot(runtime, instance_id)
    assert found(runtime) == []


def test_what_a_forgotten_job_collected_is_nobodys(runtime: Runtime, tmp_path: Path) -> None:
    (tmp_path / STAGING / NOBODY).mkdir(parents=True)
    assert found(runtime) == [("staging", f"{STAGING}/{NOBODY}", "")]


def test_folders_that_cannot_be_read_are_no_answer(runtime: Runtime, tmp_path: Path) -> None:
    looped = tmp_path / STAGING
    looped.symlink_to(looped)  # which root cannot read either
    with pytest.raises(ProviderUnavailable, match="symbolic links"):
        orphans(runtime)
