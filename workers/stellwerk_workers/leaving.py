"""Leaves wake-ups of operations that are not known here to other workers, uncounted."""

from collections.abc import Callable, Sequence

import structlog
from sqlalchemy.exc import SQLAlchemyError

from stellwerk.bootstrap import Platform
from stellwerk.jobs import claims
from stellwerk.jobs.ports import Wakeup

log = structlog.get_logger()


class Leaving:
    """For a worker's parent, which works on nothing else: its collaborators, once it needs them."""

    def __init__(self, build: Callable[[], Platform]) -> None:
        self._build = build
        self._platform: Platform | None = None

    def leave(self, wakeups: Sequence[Wakeup]) -> None:
        """Release them; no connection stays open, as nobody counts one for a parent."""
        self._platform = self._platform or self._build()
        try:
            release(self._platform, wakeups)
        finally:
            self._platform.engine.dispose()


def release(platform: Platform, wakeups: Sequence[Wakeup]) -> None:
    """Release them, where the ledger is there."""
    try:
        claims.release(platform.runtime, wakeups)
    except SQLAlchemyError as exc:  # then they count as lost wake-ups after a while
        log.warning("not released", reason=str(exc).splitlines()[0])
