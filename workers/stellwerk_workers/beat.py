"""What beat starts: housekeeping, as jobs. Several beats do no harm."""

import time
from datetime import UTC, datetime
from uuid import UUID

from celery.schedules import crontab

from stellwerk.clock import id_at

SUBMIT_TASK = "stellwerk.submit"
HOUR_S = 3600
RECONCILE_EVERY_S = 15

# Their arguments: the operation, and how often it is due, in seconds.
SCHEDULE = {
    "purge": {
        "task": SUBMIT_TASK,
        "schedule": crontab(minute="17"),
        "args": ("housekeeping.purge", HOUR_S),
        "options": {"queue": "short", "expires": 600},
    },
    "reconcile": {
        "task": SUBMIT_TASK,
        "schedule": RECONCILE_EVERY_S,
        "args": ("modules.reconcile", RECONCILE_EVERY_S),
        "options": {"queue": "short", "expires": RECONCILE_EVERY_S},
    },
}


def id_of_turn(operation: str, every_s: int) -> UUID:
    """The id of the job that is due now: the same for every beat whose message comes in this turn.

    Turns begin at whole multiples of `every_s` since 1970. Like every job's id it sorts by time.
    """
    begins_at = int(time.time()) // every_s * every_s
    return id_at(datetime.fromtimestamp(begins_at, UTC), operation)
