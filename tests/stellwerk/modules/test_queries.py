"""Lists of modules are whole, whatever becomes of a module meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from module_rows import add_module, forget_modules
from stellwerk.bootstrap import Platform
from stellwerk.modules import queries, service


@pytest.fixture(autouse=True)
def emptied(platform: Platform) -> Iterator[None]:
    forget_modules(platform)
    yield
    forget_modules(platform)


@contextmanager
def uninstalled_after_the_first_statement(platform: Platform, name: str) -> Iterator[None]:
    """As by somebody else, once the modules were read."""
    begun: list[str] = []

    def uninstall(*said: Any) -> None:
        if begun or "FROM modules" not in said[2]:
            return
        begun.append(said[2])
        with platform.runtime.sessions.begin() as session:
            service.forget_module(session, name)

    event.listen(platform.engine, "after_cursor_execute", uninstall)
    try:
        yield
    finally:
        event.remove(platform.engine, "after_cursor_execute", uninstall)
    assert begun


def test_a_module_that_is_uninstalled_meanwhile_breaks_no_list(platform: Platform) -> None:
    for name in ("clock", "echo"):
        add_module(platform, name, wanted="stopped")
    with uninstalled_after_the_first_statement(platform, "clock"):
        shown = queries.modules(platform.runtime, limit=10)
    assert [(one["name"], one["instances"]) for one in shown] == [("clock", 1), ("echo", 1)]
    assert [one["name"] for one in queries.modules(platform.runtime, limit=10)] == ["echo"]
