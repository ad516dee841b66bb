"""What beat starts: housekeeping, as jobs. Several beats do no harm."""

from celery.schedules import crontab

SUBMIT_TASK = "stellwerk.submit"

SCHEDULE = {
    "purge": {
        "task": SUBMIT_TASK,
        "schedule": crontab(minute="17"),
        "args": ("housekeeping.purge",),
        "options": {"queue": "short", "expires": 600},
    },
}
