"""What each route needs, declared beside it and checked before it runs.

A route either carries `requires(...)` or stands in PUBLIC; `guard` refuses to start otherwise.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from flask import Flask, current_app, g, request
from werkzeug.exceptions import (
    HTTPException,
    NotFound,
    RequestEntityTooLarge,
    RequestHeaderFieldsTooLarge,
    RequestURITooLarge,
)

from stellwerk.configuration.rates import RateClass
from stellwerk.errors import ConfigurationError, InvalidInput, StellwerkError
from stellwerk.identity.caller import Caller
from stellwerk.identity.permissions import PERMISSIONS
from stellwerk.jobs.operation import Scope
from stellwerk_api.bodies import MAX_ADDRESS_BYTES, MAX_BODY_BYTES, MAX_HEADER_BYTES, json_body
from stellwerk_api.browser_sessions.cookies import cookies
from stellwerk_api.context import platform
from stellwerk_api.credentials import Credentials
from stellwerk_api.limits import COUNTED, Limiter, note
from stellwerk_api.maintenance import refuse_changes
from stellwerk_api.origins import note_origin

EXTENSION = "stellwerk.credentials"
PUBLIC = frozenset(
    {
        "accounts.register",
        "accounts.login",
        "browser_sessions.begin",
        "connections.start",
        "connections.callback",
        "call_events.hear",
        "connections.sign_in",
        "accounts.refresh",
        "accounts.verify",
        "accounts.verify_again",
        "accounts.forgot",
        "accounts.tell_how",
        "accounts.reset",
        "privacy.receipt",
        "privacy.tell_how",
        "system.index",
        "system.status",
        "system.health",
        "system.live",
        "system.ready",
        "system.version",
        "root.index",
        "root.status",
        "root.version",
        "root.health",
        "root.live",
        "root.ready",
        "sockets.ws",
        "documentation.openapi",
        "documentation.swagger",
        "documentation.redoc",
        "documentation.asset",
    }
)

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

View = TypeVar("View", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class Access:
    """A route's declaration.

    `scope` says whose resources it serves (another owner's are 404); `submits` that it submits a
    job, so that an API key made for certain operations is enough; `counts` which limit it counts
    for.
    """

    permission: str
    scope: Scope = Scope.OWNER
    submits: bool = False
    counts: RateClass = RateClass.DEFAULT


def requires(
    permission: str,
    *,
    scope: Scope = Scope.OWNER,
    submits: bool = False,
    counts: RateClass = RateClass.DEFAULT,
) -> Callable[[View], View]:
    """Declare what a route needs and counts as; the order of its decorators does not matter."""

    def declare(view: View) -> View:
        access = Access(permission, scope, submits, counts)
        view.__dict__.setdefault("_apidoc", {})["access"] = access
        return view

    return declare


@dataclass(frozen=True, slots=True)
class Tried:
    """How a public route is counted: by where a request comes from, and by its `email`, if any.

    `at_once`: before it runs; else the route counts (`count_stranger`).
    """

    place: RateClass
    address: RateClass | None = None
    at_once: bool = True


def _tried(how: Tried) -> Callable[[View], View]:
    def declare(view: View) -> View:
        view.__dict__.setdefault("_apidoc", {})["tried"] = how
        return view

    return declare


SIGN_IN = Tried(RateClass.LOGIN, RateClass.LOGIN_ADDRESS)

signs_in = _tried(SIGN_IN)
writes = _tried(Tried(RateClass.LOGIN, RateClass.LOGIN))  # to the address, or by a link sent there
anybodys = _tried(Tried(RateClass.PUBLIC))
signed = _tried(Tried(RateClass.PUBLIC, at_once=False))  # only what nobody signed is counted


def caller() -> Caller:
    """Who sent the request being answered; only in routes that are not public."""
    return cast("Caller", g.caller)


def credentials() -> Credentials:
    """This process's credentials."""
    return cast("Credentials", current_app.extensions[EXTENSION])


def count_proof() -> None:
    """Count a try of the caller to prove who they are; raises LimitReached, Unavailable."""
    note(credentials().limiter.count_proof(caller()))


def count_stranger() -> None:
    """Count a request to a `signed` route that nobody signed; raises LimitReached, Unavailable."""
    limiter, route = credentials().limiter, str(request.endpoint)
    note(limiter.count_place(RateClass.PUBLIC, route, request.remote_addr))


def guard(app: Flask, checked_by: Credentials) -> None:
    """Check every request; raises ConfigurationError where a route declares nothing."""
    declared = declarations(app)
    _refuse_gaps(app, declared)
    tried = {name: _documented(view, "tried") for name, view in app.view_functions.items()}
    app.extensions[EXTENSION] = checked_by

    def check() -> None:
        if request.endpoint is None or request.method == "OPTIONS":
            return
        _refuse_unreadable()
        access, changes = declared.get(request.endpoint), request.method not in _SAFE
        how = tried[request.endpoint]
        if how and how.at_once:
            _count(checked_by.limiter, request.endpoint, how)
        if access is not None:
            cookies().take(request)
            note(request.environ.get(COUNTED))
            visit = checked_by.visit(request, access.counts)
            g.caller = known = visit.caller
            note_origin(known)
            note(visit.tally)
            known.require(access.permission)
            known.require_scope(changes=changes, submits=access.submits)
        if changes:
            refuse_changes(platform().configuration, g.get("caller"))

    app.before_request(check)


def _count(limiter: Limiter, route: str, how: Tried) -> None:
    """By place first: what is refused there counts against nobody's address."""
    note(limiter.count_place(how.place, route, request.remote_addr))
    email = _address() if how.address else ""
    if how.address and email:
        note(limiter.count_address(how.address, route, email))


def declarations(app: Flask) -> Mapping[str, Access]:
    """What each guarded endpoint declares."""
    found = {endpoint: _documented(view, "access") for endpoint, view in app.view_functions.items()}
    return {endpoint: access for endpoint, access in found.items() if access is not None}


def _documented(view: Callable[..., object], name: str) -> Any:
    return getattr(view, "_apidoc", {}).get(name)


def _address() -> str:
    """The `email` of the body, if there is one; what is wrong with it is for the route to say."""
    with suppress(StellwerkError, HTTPException):
        body = json_body(request)
        email = body.get("email") if isinstance(body, dict) else None
        return email.strip().lower() if isinstance(email, str) else ""
    return ""


def _refuse_gaps(app: Flask, declared: Mapping[str, Access]) -> None:
    endpoints = {rule.endpoint for rule in app.url_map.iter_rules()}
    problems = {
        "declare no permission and are not in PUBLIC": endpoints - set(declared) - PUBLIC,
        "stand in PUBLIC and declare a permission": set(declared) & PUBLIC,
        "stand in PUBLIC and do not exist": PUBLIC - endpoints,
        "need a permission no role has": {
            name for name, access in declared.items() if access.permission not in PERMISSIONS
        },
    }
    for problem, names in problems.items():
        if names:
            raise ConfigurationError(f"Routes {problem}: {', '.join(sorted(names))}.")


def _refuse_unreadable() -> None:
    if sum(len(name) + len(value) for name, value in request.headers) > MAX_HEADER_BYTES:
        raise RequestHeaderFieldsTooLarge
    if len(request.path) + len(request.query_string) > MAX_ADDRESS_BYTES:
        raise RequestURITooLarge
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise RequestEntityTooLarge
    if "\x00" in request.path:
        raise NotFound
    if b"%00" in request.query_string:
        raise InvalidInput("The query contains a NUL character.")
