"""What is gone is started again, within bounds; one that is ill keeps no other from its turn."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import update

from attempts import attempt
from module_rows import add_module, forget_modules
from remembered_services import RememberedServices, running_on
from stellwerk.bootstrap import Platform
from stellwerk.clock import utc_now
from stellwerk.errors import NotFound, ProviderRejected, ProviderUnavailable
from stellwerk.jobs.model import Job
from stellwerk.jobs.runtime import Runtime
from stellwerk.jobs.submission import Submission, submit
from stellwerk.modules import slots
from stellwerk.modules.model import ModuleInstance
from stellwerk.modules.names import service_name
from stellwerk.providers.services.protocol import RestartPolicy, ServiceStatus
from stellwerk_workers.reports import Came

OFTEN = RestartPolicy().attempts


@pytest.fixture
def services() -> RememberedServices:
    return RememberedServices(lines=("It begins.", "It ends."))


@pytest.fixture
def runtime(platform: Platform, services: RememberedServices) -> Iterator[Runtime]:
    forget_modules(platform)
    yield running_on(platform.runtime, services)
    forget_modules(platform)


def reconciled(runtime: Runtime) -> dict[str, Any]:
    job_id = submit(runtime, Submission("modules.reconcile", {}, owner_id=None))
    assert attempt(runtime, job_id) is Came.COMPLETED
    with runtime.sessions() as session:
        return session.get_one(Job, job_id).result or {}


def row(runtime: Runtime, instance_id: str) -> ModuleInstance:
    with runtime.sessions() as session:
        return session.get_one(ModuleInstance, instance_id)


def change(runtime: Runtime, instance_id: str, **values: Any) -> None:
    with runtime.sessions.begin() as session:
        mine = ModuleInstance.id == instance_id
        session.execute(update(ModuleInstance).where(mine).values(**values))


def named(instance_id: str) -> str:
    return service_name("stellwerk", "clock", instance_id)


def healthy_since(services: RememberedServices, name: str, age_s: float) -> None:
    at = utc_now() - timedelta(seconds=age_s)
    services.there[name] = replace(
        services.there[name], status=ServiceStatus.RUNNING, started_at=at
    )


def test_one_that_cannot_be_made_again_is_marked_with_its_last_lines(
    platform: Platform, runtime: Runtime, services: RememberedServices
) -> None:
    ids = add_module(platform, "clock", number=2)
    services.failures[f"create {named(ids[0])}"] = ProviderRejected("Nobody runs that.")
    found = reconciled(runtime)
    assert (found["failed"], found["started"]) == ([named(ids[0])], [named(ids[1])])
    ill = row(runtime, ids[0])
    assert (ill.status, ill.health, ill.message) == ("error", "unknown", "Nobody runs that.")
    assert ill.last_log == "It begins.\nIt ends."
    assert reconciled(runtime)["failed"] == []  # it is no news
    services.failures.clear()
    assert reconciled(runtime)["started"] == [named(ids[0])]
    reconciled(runtime)
    well = row(runtime, ids[0])
    assert (well.status, well.health, well.message, well.last_log) == (
        "running",
        "healthy",
        "",
        "",
    )


@pytest.mark.parametrize("failure", [ProviderUnavailable("It is asleep."), NotFound("It went.")])
@pytest.mark.parametrize("call", ["create", "start"])
def test_one_that_fails_keeps_no_other_from_its_turn(
    platform: Platform, runtime: Runtime, services: RememberedServices, call: str, failure: Any
) -> None:
    ids = add_module(platform, "clock", number=2)
    services.failures[f"{call} {named(ids[0])}"] = failure
    assert reconciled(runtime)["started"] == [named(ids[1])]
    assert row(runtime, ids[0]).message == failure.message


def test_one_that_does_not_stop_keeps_no_other_from_its_turn(
    platform: Platform, runtime: Runtime, services: RememberedServices
) -> None:
    ids = add_module(platform, "clock", number=2)
    reconciled(runtime)
    change(runtime, ids[0], wanted="stopped")
    services.failures[f"stop {named(ids[0])}"] = ProviderUnavailable("It is asleep.")
    del services.there[named(ids[1])]
    assert reconciled(runtime)["started"] == [named(ids[1])]


def test_secrets_that_cannot_be_opened_are_told_of_their_instance_alone(
    platform: Platform, runtime: Runtime
) -> None:
    ids = add_module(platform, "clock", number=2)
    change(runtime, ids[0], secrets=b"of:another key")
    assert reconciled(runtime)["started"] == [named(ids[1])]
    assert "key" in row(runtime, ids[0]).message


def test_one_without_a_place_keeps_no_other_from_its_turn(
    platform: Platform, runtime: Runtime
) -> None:
    ids = add_module(platform, "clock", number=2)
    few = runtime.settings.model_copy(update={"module_instances": places_up_to_a_free_one(runtime)})
    assert reconciled(replace(runtime, settings=few))["started"] == [named(ids[0])]
    assert "places" in row(runtime, ids[1]).message


def places_up_to_a_free_one(runtime: Runtime) -> int:
    """One, unless other programs of the machine have the ports of the first."""
    with runtime.sessions() as session:  # which takes it back
        return slots.claim(session, runtime.settings, "other", uuid4().hex) + 1


def test_a_log_that_cannot_be_read_is_left_out(
    platform: Platform, runtime: Runtime, services: RememberedServices
) -> None:
    (instance_id,) = add_module(platform, "clock")
    reconciled(runtime)
    services.becomes(named(instance_id), ServiceStatus.FAILED, "Exit code 9.")
    services.failures["logs"] = ProviderUnavailable("It is asleep.")
    assert reconciled(runtime)["failed"] == [named(instance_id)]
    ill = row(runtime, instance_id)
    assert (ill.status, ill.message, ill.last_log) == ("error", "Exit code 9.", "")


def test_one_that_goes_again_and_again_is_given_up_as_its_policy_says(
    platform: Platform, runtime: Runtime, services: RememberedServices
) -> None:
    (instance_id,) = add_module(platform, "clock")
    name = named(instance_id)
    for number in range(OFTEN):
        assert reconciled(runtime)["started"] == [name], number
        services.becomes(name, ServiceStatus.STOPPED, "Its keeper has ended.")
    found = reconciled(runtime)
    assert (found["started"], found["failed"]) == ([], [name])
    ill = row(runtime, instance_id)
    assert (ill.status, ill.revivals, ill.last_log) == ("error", OFTEN, "It begins.\nIt ends.")
    assert f"started again {OFTEN} times" in ill.message
    assert reconciled(runtime) == {**found, "changed": 0, "failed": []}


def test_one_that_is_healthy_for_a_while_counts_anew(
    platform: Platform, runtime: Runtime, services: RememberedServices
) -> None:
    (instance_id,) = add_module(platform, "clock")
    reconciled(runtime)
    assert row(runtime, instance_id).revivals == 1
    reconciled(runtime)
    assert row(runtime, instance_id).revivals == 1, "it has only just begun"
    healthy_since(services, named(instance_id), RestartPolicy().steady_s)
    reconciled(runtime)
    assert row(runtime, instance_id).revivals == 0


def test_what_cannot_be_started_is_tried_for_as_long_as_that_takes(
    platform: Platform, runtime: Runtime, services: RememberedServices
) -> None:
    (instance_id,) = add_module(platform, "clock")
    services.failures["create"] = ProviderUnavailable("The disk is full.")
    for _ in range(OFTEN + 1):
        assert reconciled(runtime)["started"] == []
    services.failures.clear()
    assert reconciled(runtime)["started"] == [named(instance_id)]
