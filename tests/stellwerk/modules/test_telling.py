"""Whoever listens is told what lists show."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from module_rows import add_module, forget_modules
from remembered_services import RememberedServices, running_on
from stellwerk.bootstrap import Platform
from stellwerk.errors import ProviderUnavailable
from stellwerk.modules import queries, telling
from stellwerk.modules.queries import InstanceFilter


@dataclass(slots=True)
class Heard:
    """What listeners are told."""

    told: list[tuple[str, Any]] = field(default_factory=list)

    def tell(self, topic: str, kind: str, data: Any) -> None:
        assert topic == telling.TOPIC
        self.told.append((kind, data))


@pytest.fixture(autouse=True)
def emptied(platform: Platform) -> None:
    forget_modules(platform)


def test_where_the_runtime_is_silent_it_is_told_what_is_written_down(platform: Platform) -> None:
    add_module(platform, "clock", number=2)
    services = RememberedServices(failures={"states": ProviderUnavailable("It is asleep.")})
    heard = Heard()
    runtime = replace(running_on(platform.runtime, services), news=heard)
    telling.tell(runtime, "clock", removed=["0" * 32])
    assert [(kind, data.get("status"), data.get("health")) for kind, data in heard.told] == [
        ("changed", "running", "healthy"),
        ("changed", "running", "healthy"),
        ("removed", None, None),
    ]
    listed = queries.instances(runtime, InstanceFilter())
    assert listed == [data for kind, data in heard.told if kind == "changed"]


def test_the_runtime_is_asked_once_for_all_modules(platform: Platform) -> None:
    for name in ("clock", "echo", "dashboard"):
        add_module(platform, name)
    services, heard = RememberedServices(), Heard()
    hurried = platform.settings.model_copy(update={"module_status_ttl_s": 0})
    runtime = replace(running_on(platform.runtime, services), news=heard, settings=hurried)
    telling.tell(runtime, "clock", "dashboard", "echo")
    assert [data["status"] for _, data in heard.told] == ["error"] * 3
    assert services.asked("states") == 1
