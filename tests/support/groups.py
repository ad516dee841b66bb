"""Which tests share processes, and so have to run in one test process, one after another."""

import pytest

SHARED = {"engine_processes": "engine"}  # fixture to group


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that take a fixture which is shared."""
    for item in items:
        for fixture in SHARED.keys() & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.xdist_group(SHARED[fixture]))
