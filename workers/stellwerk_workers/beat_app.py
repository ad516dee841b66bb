"""The Celery application of beat, which sends what is due by name.

It needs neither tasks nor what they do: without them beat is up in a fraction of the time.
"""

from typing import Any

from celery import Celery
from celery.signals import setup_logging

import celeryconfig
from stellwerk.logs import configure_logs
from stellwerk.settings import settings
from stellwerk.stack.production import refuse_unfit
from stellwerk_workers.beat import SCHEDULE


def build_app() -> Celery:
    """The application; raises ConfigurationError for settings with which no worker would start."""
    refuse_unfit(settings(), serves=False)
    settings().encryption_keys()
    built = Celery("stellwerk", broker=settings().broker())
    built.config_from_object(celeryconfig)
    built.conf.beat_schedule = SCHEDULE
    return built


@setup_logging.connect
def _logs(**_: Any) -> None:
    configure_logs(settings(), role="worker")


app = build_app()
