"""The Celery application that Flower looks through: the broker and the queues, and no tasks."""

from celery import Celery

import celeryconfig
from stellwerk.settings import settings

app = Celery("stellwerk", broker=settings().broker())
app.config_from_object(celeryconfig)
