"""Which tests share processes, and so have to run in one test process, one after another."""

import pytest

from docker_engine import stop_docker
from engine import stop_engines
from forked_commands import stop_forking
from full_stack import end_stacks

SHARED = {"engine_processes": "engine"}  # fixture to group
ENDINGS = {"engine": stop_engines, "stack": end_stacks, "swarm": stop_docker}  # idle: 8 % each


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that take a fixture which is shared."""
    for item in items:
        for fixture in SHARED.keys() & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.xdist_group(SHARED[fixture]))


@pytest.hookimpl(trylast=True)  # after the fixtures of the last one
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """End what only a group needs when it is over: pytest-xdist runs one in one go."""
    group = _group(item)
    is_in_one_go = hasattr(item.config, "workerinput")
    if is_in_one_go and nextitem and group in ENDINGS and _group(nextitem) != group:
        ENDINGS[group]()


def pytest_sessionfinish() -> None:
    """End what outlives a group that was not run in one go."""
    stop_docker()
    stop_forking()


def _group(item: pytest.Item) -> str | None:
    marker = item.get_closest_marker("xdist_group")
    return marker.args[0] if marker else None
