"""Where the worker finds its application: `celery -A make_celery worker`."""

from app import create_app

flask_app = create_app()
celery_app = flask_app.extensions["celery"]
