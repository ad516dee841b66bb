"""The application of the web process, which `stellwerk_api.web` serves."""

import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from flask import Flask
from werkzeug.routing import IntegerConverter, Map

import stellwerk_api
from stellwerk.bootstrap import Platform, bootstrap
from stellwerk.logs import configure_logs
from stellwerk.settings import settings
from stellwerk.tracing import start_tracing
from stellwerk_api import context
from stellwerk_api.aliases import ALIASES, Alias, add_aliases, add_deprecated
from stellwerk_api.auth import guard
from stellwerk_api.bodies import READ_BYTES
from stellwerk_api.browser_sessions.cookies import add_cookies
from stellwerk_api.browser_sessions.lasting import let_sessions_last
from stellwerk_api.caching import allow_caching
from stellwerk_api.cors import WebCors
from stellwerk_api.credentials import Credentials
from stellwerk_api.documentation import routes as documentation
from stellwerk_api.documentation.examples import add_error_examples
from stellwerk_api.documentation.limits import add_limits
from stellwerk_api.documentation.openapi import api_of
from stellwerk_api.errors import handle_errors
from stellwerk_api.forwarded import Forwarded
from stellwerk_api.jobs.quick_polls import QuickPolls
from stellwerk_api.jobs.quick_submissions import QuickSubmissions
from stellwerk_api.json_answers import ApiResponse, OrjsonProvider, as_json
from stellwerk_api.observation import observe
from stellwerk_api.operations import routes as operations
from stellwerk_api.operations.catalogue import catalogue
from stellwerk_api.origins import note_origins
from stellwerk_api.strictness import refuse_unread

POSTGRES_INT_MAX = 2**31 - 1


class RowIdConverter(IntegerConverter):
    """`<int:...>` in a route is a row's id; what no row can have is no such page."""

    def __init__(self, map: Map, **options: Any) -> None:  # noqa: A002  Werkzeug's name
        super().__init__(map, **{"max": POSTGRES_INT_MAX, **options})


def create_app(platform: Platform | None = None, aliases: Sequence[Alias] = ALIASES) -> Flask:
    """The application; raises ConfigurationError where a setting or a declaration is missing.

    Without a `platform` it reads the settings and makes one, with a connection per thread.
    """
    if platform is None:
        configure_logs(settings(), role="web", forks=False)
        platform = bootstrap(settings(), role="web", pool_size=settings().web_threads)
    app = empty_app()
    is_traced = start_tracing(platform.settings, "web")
    if is_traced:
        _trace_requests(app)
    app.extensions[context.EXTENSION] = platform
    app.extensions[operations.EXTENSION] = catalogue(platform.runtime.registry)
    add_routes(app)
    add_aliases(app, aliases)
    add_cookies(app, platform.settings, platform.runtime.vault)
    let_sessions_last(app)
    observe(app)
    note_origins(app)
    allow_caching(app)
    guard(app, Credentials(platform))
    refuse_unread(app)
    handle_errors(app)
    _put_in_front(app, platform, is_traced=is_traced)
    return app


def _put_in_front(app: Flask, platform: Platform, *, is_traced: bool) -> None:
    """Wrap what answers without Flask, and what holds for all answers, the last one outermost."""
    settings = platform.settings
    wrapped = app.wsgi_app
    if not is_traced:  # else Flask answers everything, each a span
        for quick in (QuickPolls, QuickSubmissions):
            app.wsgi_app = wrapped = quick(app, platform)  # type: ignore[assignment, method-assign]  # Flask's documented way
    if settings.cors_origins:
        wrapped = WebCors(wrapped, settings.cors_origins)  # type: ignore[assignment]  # the same
    app.wsgi_app = Forwarded(wrapped, settings)  # type: ignore[assignment, method-assign]  # the same


def _trace_requests(app: Flask) -> None:
    """Each request becomes a span, below the caller's own where it sends `traceparent`."""
    from opentelemetry.instrumentation.flask import (  # noqa: PLC0415  only where it is on
        FlaskInstrumentor,
    )

    FlaskInstrumentor().instrument_app(app)  # type: ignore[no-untyped-call]  # it ships half of its types


def empty_app() -> Flask:
    """An application with our manners and no routes."""
    app = Flask("stellwerk_api", static_folder=None)
    app.response_class = ApiResponse
    app.json = OrjsonProvider(app)
    app.config["MAX_CONTENT_LENGTH"] = READ_BYTES
    app.url_map.strict_slashes = False  # both forms answer, and neither redirects
    app.url_map.merge_slashes = False
    app.url_map.converters["int"] = RowIdConverter
    return app


def add_routes(app: Flask) -> None:
    """Register every noun's routes; the OpenAPI document of them is made when it is asked for."""
    app.register_blueprint(documentation.documentation)
    for blueprint in _blueprints():
        app.register_blueprint(blueprint)
    app.extensions[documentation.EXTENSION] = openapi_document


@cache
def openapi_document() -> bytes:
    """The OpenAPI document of every noun's routes, made once in a process.

    That takes several times as long as all else that an application needs for its start.
    """
    api = api_of(empty_app())
    for blueprint in _blueprints():
        api.register_blueprint(blueprint)
    document = api.spec.to_dict()
    add_error_examples(document)
    add_limits(document)
    add_deprecated(document, ALIASES)
    return as_json(document)


def _blueprints() -> Iterator[Any]:
    """What each noun's `routes` module names in BLUEPRINTS."""
    for found in pkgutil.iter_modules(stellwerk_api.__path__, "stellwerk_api."):
        if not found.ispkg:
            continue
        package = importlib.import_module(found.name)
        if any(inner.name == "routes" for inner in pkgutil.iter_modules(package.__path__)):
            routes = importlib.import_module(f"{found.name}.routes")
            yield from getattr(routes, "BLUEPRINTS", ())
