"""The Celery client that publishes wake-ups by task name."""
