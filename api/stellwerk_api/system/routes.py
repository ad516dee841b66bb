"""What stands at `/` and `/api/v1/`, health for machines, and the metrics."""

from importlib.metadata import version as installed

from flask import Response
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from stellwerk.clock import rfc3339, utc_now
from stellwerk.jobs.operation import Scope
from stellwerk.jobs.queries import API
from stellwerk_api.auth import requires
from stellwerk_api.blueprint import Blueprint
from stellwerk_api.caching import cacheable
from stellwerk_api.context import platform
from stellwerk_api.json_answers import ApiResponse, json_answer
from stellwerk_api.metrics import exposition
from stellwerk_api.system.health import newest_revision, parts, report
from stellwerk_api.system.schemas import (
    HealthSchema,
    IndexSchema,
    LiveSchema,
    StatusSchema,
    VersionSchema,
)

system = Blueprint("system", url_prefix=API, description="Health, version, metrics.")
root = Blueprint("root", url_prefix="/", description="The same, where machines look for it.")
BLUEPRINTS = (system, root)

STARTED_AT = utc_now()
LINKS = {
    "openapi": "/api/openapi.json",
    "docs": "/api/docs",
    "redoc": "/api/redoc",
    "register": f"{API}/auth/register",
    "login": f"{API}/auth/login",
    "operations": f"{API}/operations",
    "jobs": f"{API}/jobs",
    "status": f"{API}/status",
    "health": f"{API}/health",
}


@system.get("/status")
@root.get("/status")
@system.answers(200, StatusSchema)
def status() -> Response:
    """How the platform is, and what runs."""
    here = platform()
    body, code = report(parts(here))
    body |= {
        "version": installed("stellwerk"),
        "mode": here.settings.mode.value,
        "started_at": rfc3339(STARTED_AT),
        "time": rfc3339(utc_now()),
    }
    return json_answer(body, code)


@system.get("/version")
@root.get("/version")
@cacheable
@system.answers(200, VersionSchema)
def version() -> Response:
    """What runs."""
    versions = {"version": installed("stellwerk"), "api": "v1", "schema": newest_revision()}
    return json_answer(versions)


@system.get("/")
@root.get("/")
@system.answers(200, IndexSchema)
def index() -> Response:
    """Where to go."""
    return json_answer({"name": "Stellwerk", "version": installed("stellwerk"), "links": LINKS})


@system.get("/health")
@root.get("/health")
@system.answers(200, HealthSchema)
def health() -> Response:
    """Every part of the platform; 503 only when Postgres or its schema is unusable."""
    return json_answer(*report(parts(platform())))


@system.get("/health/live")
@root.get("/health/live")
@system.answers(200, LiveSchema)
def live() -> Response:
    """This process answers."""
    return json_answer({"status": "ok"})


@system.get("/health/ready")
@root.get("/health/ready")
@system.answers(200, HealthSchema)
def ready() -> Response:
    """This process can serve; 503 only when Postgres or its schema is unusable."""
    return json_answer(*report(parts(platform())))


@system.get("/metrics")
@root.get("/metrics")
@requires("metrics:read", scope=Scope.OPERATOR)
@system.answers(200, {"type": "string"}, content_type="text/plain")
def metrics() -> Response:
    """Metrics in Prometheus's text format, for operators and for the scrape token."""
    return ApiResponse(exposition(platform()), content_type=CONTENT_TYPE_PLAIN_0_0_4)
