"""The runtime is asked now and then, and never by everybody at once."""

from dataclasses import replace

import pytest

from embedded import wait_until
from remembered_services import RememberedServices, running_on
from stellwerk.bootstrap import Platform
from stellwerk.errors import ProviderUnavailable
from stellwerk.jobs.runtime import Runtime
from stellwerk.modules import watching
from stellwerk.providers.services.protocol import ServiceState, ServiceStatus

SILENT = ProviderUnavailable("It is asleep.")
LONG_S = 60.0  # longer than a busy machine stands still
CLOCK = ServiceState("clock", "clock", "0" * 32, "1.0.0", ServiceStatus.RUNNING, "127.0.0.1:9")


@pytest.fixture
def services() -> RememberedServices:
    return RememberedServices(there={"clock": CLOCK})


@pytest.fixture
def runtime(platform: Platform, services: RememberedServices) -> Runtime:
    return running_on(platform.runtime, services)


def asking_every(runtime: Runtime, ttl_s: float) -> Runtime:
    settings = runtime.settings.model_copy(update={"module_status_ttl_s": ttl_s})
    return replace(runtime, settings=settings)


def test_what_was_seen_is_shown_for_a_while(runtime: Runtime, services: RememberedServices) -> None:
    rarely = asking_every(runtime, LONG_S)
    found = [watching.seen(rarely, ["clock"]) for _ in range(3)]
    assert [one and one["clock"].status for one in found] == [ServiceStatus.RUNNING] * 3
    assert services.asked("states") == 1


def test_a_runtime_that_does_not_answer_is_not_asked_by_everybody(
    runtime: Runtime, services: RememberedServices
) -> None:
    rarely = asking_every(runtime, LONG_S)
    services.failures["states"] = SILENT
    assert [watching.seen(rarely) for _ in range(3)] == [None] * 3
    with pytest.raises(ProviderUnavailable, match="asleep"):
        watching.require_answer(rarely)
    assert services.asked("states") == 1


def test_one_alone_finds_out_that_it_answers_again(
    runtime: Runtime, services: RememberedServices
) -> None:
    hasty = asking_every(runtime, 0.05)
    services.failures["states"] = SILENT
    assert watching.seen(hasty) is None
    del services.failures["states"]
    wait_until(lambda: watching.seen(hasty) is not None)
    assert services.asked("states") == 2
    watching.require_answer(hasty)


def test_for_one_that_is_missing_it_is_asked_once_in_a_while(
    runtime: Runtime, services: RememberedServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = asking_every(runtime, LONG_S)
    monkeypatch.setattr(watching, "MISSING_S", LONG_S)  # else a second
    for _ in range(3):
        found = watching.seen(runtime, ["clock", "echo"])
        assert found is not None
        assert set(found) == {"clock"}
    assert services.asked("states") == 1
    services.there["echo"] = replace(CLOCK, name="echo")
    monkeypatch.setattr(watching, "MISSING_S", 0.05)
    wait_until(lambda: "echo" in (watching.seen(runtime, ["echo"]) or {}))
    assert services.asked("states") == 2
