"""Waits for a ledger that is gone for a while."""

from collections.abc import Callable
from threading import Event
from typing import TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from stellwerk.db.engine import is_stuck, may_pass

log = structlog.get_logger()

PAUSE_S = 1.0
STUCK_TRIES = 5  # then the lease decides

Done = TypeVar("Done")


def through_outages(action: Callable[[], Done], *, tries: int, pause: Event) -> Done:
    """Do it, again and again while the ledger is gone; at last its error is raised.

    What is stuck although it is there is tried a few times only. `pause` is waited on between two
    tries: setting it ends the waiting.
    """
    stuck = 0
    for _ in range(tries):
        try:
            return action()
        except SQLAlchemyError as exc:
            stuck += is_stuck(exc)
            if not may_pass(exc) or stuck >= STUCK_TRIES:
                raise
            log.warning("ledger does not answer, waiting for it")
            pause.wait(PAUSE_S)
    return action()
