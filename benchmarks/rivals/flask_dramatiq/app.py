"""Flask and Dramatiq."""

from dramatiq.results import ResultMissing
from flask import Flask, request
from tasks import results, work


def create_app() -> Flask:
    """The application."""
    app = Flask(__name__)

    @app.post("/jobs")
    def submit() -> dict[str, str]:
        return {"id": work.send(int(request.args.get("ms", 0))).message_id}

    @app.get("/jobs/<job_id>")
    def show(job_id: str) -> dict[str, object]:
        return {"finished": _is_finished(job_id)}

    return app


def _is_finished(job_id: str) -> bool:
    """Results are found by a message, so one with this id is made up."""
    try:
        results.get_result(work.message(0).copy(message_id=job_id))
    except ResultMissing:
        return False
    return True
