"""Flask and Celery joined as Flask's own documentation teaches, results kept in Redis."""

import os

from celery import Celery, Task
from celery.result import AsyncResult
from flask import Flask, request


def create_app() -> Flask:
    """The application; its Celery application stands in `extensions`."""
    app = Flask(__name__)
    app.config["CELERY"] = {
        "broker_url": os.environ["BROKER_URL"],
        "result_backend": os.environ["RESULT_URL"],
        "task_ignore_result": True,
    }
    _join_celery(app)
    _add_routes(app)
    return app


def _join_celery(app: Flask) -> None:
    class FlaskTask(Task):
        """Runs within the application's context."""

        def __call__(self, *args: object, **kwargs: object) -> object:
            """Carry it out."""
            with app.app_context():
                return self.run(*args, **kwargs)

    celery = Celery(app.name, task_cls=FlaskTask)
    celery.config_from_object(app.config["CELERY"])
    celery.set_default()
    app.extensions["celery"] = celery


def _add_routes(app: Flask) -> None:
    from tasks import work  # noqa: PLC0415  shared tasks bind to the application made above

    @app.post("/jobs")
    def submit() -> dict[str, str]:
        return {"id": work.delay(int(request.args.get("ms", 0))).id}

    @app.get("/jobs/<job_id>")
    def show(job_id: str) -> dict[str, object]:
        return {"finished": AsyncResult(job_id).ready()}
