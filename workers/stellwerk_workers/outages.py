"""Waits for a ledger that is gone for a while."""

from collections.abc import Callable
from threading import Event
from typing import TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from stellwerk.db.engine import may_pass

log = structlog.get_logger()

PAUSE_S = 1.0

Done = TypeVar("Done")


def through_outages(action: Callable[[], Done], *, tries: int, pause: Event) -> Done:
    """Do it, again and again while the ledger is gone; at last its error is raised.

    `pause` is waited on between two tries: setting it ends the waiting.
    """
    for _ in range(tries):
        try:
            return action()
        except SQLAlchemyError as exc:
            if not may_pass(exc):
                raise
            log.warning("ledger does not answer, waiting for it")
            pause.wait(PAUSE_S)
    return action()
