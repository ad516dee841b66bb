"""The least a durable submission can cost with these libraries: one schema, one Core commit."""

import os
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from flask import Flask
from flask.views import MethodView
from flask_smorest import Api, Blueprint
from marshmallow import Schema, fields
from sqlalchemy import Column, DateTime, MetaData, String, Table, create_engine, insert
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import UUID as UUID_COLUMN

THREADS = int(os.environ.get("GRANIAN_BLOCKING_THREADS", "4"))

jobs = Table(
    "bare_jobs",
    MetaData(),
    Column("id", UUID_COLUMN(as_uuid=True), primary_key=True),
    Column("operation", String(80), nullable=False),
    Column("payload", JSONB, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
)


class JobBody(Schema):
    """What is sent."""

    operation = fields.String(required=True)
    payload = fields.Dict(load_default=dict)


class JobAnswer(Schema):
    """What is answered."""

    id = fields.UUID()


blueprint = Blueprint("jobs", __name__, url_prefix="/jobs")


def create_app() -> Flask:
    """The application, with one connection per thread."""
    app = Flask(__name__)
    app.config.update(API_TITLE="Bare", API_VERSION="1", OPENAPI_VERSION="3.1.0")
    url = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg2://")
    app.extensions["engine"] = create_engine(url, pool_size=THREADS, max_overflow=0)
    _add_route(app)
    Api(app).register_blueprint(blueprint)
    return app


def _add_route(app: Flask) -> None:
    @blueprint.route("/")
    class Jobs(MethodView):
        """All of them."""

        @blueprint.arguments(JobBody)
        @blueprint.response(202, JobAnswer)
        def post(self, body: dict[str, Any]) -> dict[str, UUID]:
            """Store one."""
            job_id = uuid4()
            row = {"id": job_id, "created_at": datetime.now(UTC), **body}
            with app.extensions["engine"].begin() as connection:
                connection.execute(insert(jobs).values(row))
            return {"id": job_id}
