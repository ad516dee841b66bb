"""Asks the workers, over the broker, which queues they consume."""

from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from stellwerk.broker.publisher import publishing_app
from stellwerk.errors import Unavailable

ANSWER_WITHIN_S = 1.5


def workers_by_queue(broker_url: str) -> dict[str, list[str]]:
    """Names of the workers that answer within 1.5 s, by queue; raises Unavailable."""
    app = publishing_app(broker_url)
    try:
        answers = app.control.inspect(timeout=ANSWER_WITHIN_S).active_queues() or {}
    except (KombuError, RedisError, OSError) as exc:
        raise Unavailable(f"The broker does not answer: {exc}") from exc
    finally:
        app.close()
    workers: dict[str, list[str]] = {}
    for worker, queues in answers.items():
        for queue in queues:
            workers.setdefault(queue["name"], []).append(worker)
    return workers
