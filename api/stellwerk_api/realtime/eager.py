"""Coroutines that are run at once as far as they go (asyncio itself can do that from 3.12 on)."""

import types
from collections.abc import Coroutine, Generator
from typing import Any


def begun(work: Coroutine[Any, Any, None]) -> Coroutine[Any, Any, None] | None:
    """Run it until it has to wait; returns the rest, for a task, or None where nothing is left."""
    try:
        waits_for = work.send(None)
    except StopIteration:
        return None
    return _rest(work, waits_for)


@types.coroutine
def _rest(work: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, Any, None]:
    while True:
        try:
            try:
                given = yield waits_for
            except BaseException as exc:  # noqa: BLE001  passed on: a cancel, or what was waited for
                waits_for = work.throw(exc)
            else:
                waits_for = work.send(given)
        except StopIteration:
            return
