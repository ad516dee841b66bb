"""The least a poll can cost: a Flask route that answers with what one GET of Redis gives."""

import os

from flask import Flask, Response
from redis import Redis


def create_app() -> Flask:
    """The application, with one Redis client per process."""
    app = Flask(__name__)
    redis = Redis.from_url(os.environ["REDIS_URL"])

    @app.get("/jobs/<job_id>")
    def show(job_id: str) -> Response:
        return Response(redis.get(f"job:{job_id}") or b"{}", mimetype="application/json")

    return app
