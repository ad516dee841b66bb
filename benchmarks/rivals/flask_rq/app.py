"""Flask and RQ."""

import os

from flask import Flask, request
from redis import Redis
from rq import Queue
from rq.job import Job
from tasks import work


def create_app() -> Flask:
    """The application, with one queue."""
    app = Flask(__name__)
    connection = Redis.from_url(os.environ["BROKER_URL"])
    queue = Queue(connection=connection)

    @app.post("/jobs")
    def submit() -> dict[str, str]:
        return {"id": queue.enqueue(work, int(request.args.get("ms", 0))).id}

    @app.get("/jobs/<job_id>")
    def show(job_id: str) -> dict[str, object]:
        return {"finished": Job.fetch(job_id, connection=connection).is_finished}

    return app
