"""Other addresses of canonical routes, kept for clients that were made for them: the one table.

An alias answers as its target does, with the same rights, without a redirect, with and without a
trailing slash. What it says about where to look next stays below the alias.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from flask import Flask, Response, current_app, g, request
from werkzeug.http import http_date
from werkzeug.routing import Rule

from stellwerk.errors import ConfigurationError
from stellwerk.jobs.queries import API

EXTENSION = "stellwerk.aliases"
_NAME = re.compile(r"<(?:\w+:)?(\w+)>")
_NAME_OF_OPENAPI = re.compile(r"{(\w+)}")


@dataclass(frozen=True, slots=True)
class Deprecation:
    """Since when an alias is deprecated (RFC 9745), and when it ends (RFC 8594)."""

    since: datetime
    sunset: datetime


@dataclass(frozen=True, slots=True)
class Alias:
    """`path` leads to `target`, and unless `exact` all below it to what is below the target.

    `status`: where a job that was submitted by the alias is looked at, with `{job_id}` in it, or
    another name that its noun has for it; empty: where every job is. `is_route`: a route of its own
    has this path, and does what the target does.
    """

    path: str
    target: str
    exact: bool = False
    status: str = ""
    deprecation: Deprecation | None = None
    is_route: bool = False

    def leads_to(self, rule: str) -> str | None:
        """The alias of this rule; None where it has none."""
        rest = rule.removeprefix(self.target)
        if not rule.startswith(self.target) or (rest.strip("/") and self.exact) or self.is_route:
            return None
        return self.path + rest if not rest or rest.startswith("/") else None


CALL_STATUS = "/call-status/{call_id}"
INSTALL_STATUS = "/repository/install/status/{operation_id}"
MODULE_STATUS = "/modules/status/{operation_id}"
MODULES_OF_OLD = Deprecation(
    datetime(2026, 12, 1, tzinfo=UTC), sunset=datetime(2027, 12, 1, tzinfo=UTC)
)
ALIASES: Sequence[Alias] = (
    Alias("/api/health", f"{API}/health", exact=True),
    Alias("/api/version", f"{API}/version", exact=True),
    Alias("/ws", f"{API}/ws", exact=True),
    Alias("/api/auth", f"{API}/auth"),
    Alias("/auth", f"{API}/auth/nextcloud", exact=True),
    Alias("/api/users", f"{API}/users"),
    Alias("/auth/<provider>", f"{API}/auth/<provider>"),
    Alias("/privacy", f"{API}/privacy"),
    Alias("/admin", f"{API}/admin"),
    Alias("/call", f"{API}/call", status=CALL_STATUS),
    Alias("/call-status", f"{API}/call-status", status=CALL_STATUS),
    Alias("/call-history", f"{API}/call-history", status=CALL_STATUS),
    Alias("/repository/list", f"{API}/repository/list", exact=True),
    Alias("/repository/modules", f"{API}/repository/modules", exact=True),
    Alias("/repository/install", f"{API}/repository/install", status=INSTALL_STATUS),
    Alias("/repository/uninstall", f"{API}/repository/uninstall", status=MODULE_STATUS),
    Alias("/repositories", f"{API}/repositories", status=MODULE_STATUS),
    Alias("/modules", f"{API}/modules", status=MODULE_STATUS),
    Alias("/api/modules", f"{API}/modules", exact=True, deprecation=MODULES_OF_OLD),
    Alias(
        "/api/modules/<module_name>",
        f"{API}/modules/primary/<module_name>",
        exact=True,
        deprecation=MODULES_OF_OLD,
    ),
    Alias(
        "/api/install/<module_name>",
        f"{API}/repository/install",
        exact=True,
        deprecation=MODULES_OF_OLD,
        is_route=True,
    ),
    Alias("/admin/users", f"{API}/users", exact=True),
    Alias(f"{API}/admin/users", f"{API}/users", exact=True),
)


def add_aliases(app: Flask, aliases: Sequence[Alias]) -> None:
    """Let the aliases lead to the routes there are.

    Raises ConfigurationError for one that leads nowhere.
    """
    found: dict[str, Alias] = {}
    for alias in aliases:
        if alias.is_route:
            found[alias.path] = alias
            continue
        rules = list(_rules_of(app, alias))
        if not rules:
            raise ConfigurationError(f"The alias {alias.path} leads to no route.")
        for written, rule in rules:
            methods = (rule.methods or set()) - {"HEAD", "OPTIONS"}
            app.add_url_rule(written, rule.endpoint, methods=methods)
            found[written] = alias
    app.extensions[EXTENSION] = found
    app.before_request(_remember)
    app.after_request(_warn)


def own_status_url(names: Mapping[str, object]) -> str:
    """Where the alias that the request came by lets one look at what has these names.

    Empty: where it is looked at by its canonical address.
    """
    alias: Alias | None = g.get("alias")
    return alias.status.format_map(names) if alias else ""


def add_deprecated(document: dict[str, Any], aliases: Sequence[Alias]) -> None:
    """Put the deprecated aliases into the OpenAPI document, marked as such."""
    deprecated = [alias for alias in aliases if alias.deprecation]
    for path, item in list(document["paths"].items()):
        for alias in deprecated:
            written = alias.leads_to(_NAME_OF_OPENAPI.sub(r"<\1>", path))
            if written:
                document["paths"][_NAME.sub(r"{\1}", written)] = _deprecated(item)


def _deprecated(item: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {
            **operation,
            "deprecated": True,
            "operationId": f"{operation['operationId']}_deprecated",
        }
        if isinstance(operation, dict) and "operationId" in operation
        else operation
        for name, operation in item.items()
    }


def _rules_of(app: Flask, alias: Alias) -> Iterator[tuple[str, Rule]]:
    for rule in list(app.url_map.iter_rules()):
        written = alias.leads_to(rule.rule)
        if written:
            yield written, rule


def _remember() -> None:
    """Note which alias the request came by."""
    rule = request.url_rule
    g.alias = None
    if rule is not None:
        g.alias = current_app.extensions[EXTENSION].get(rule.rule)


def _warn(response: Response) -> Response:
    alias: Alias | None = g.get("alias")
    if alias is None or alias.deprecation is None:
        return response
    below = "" if alias.is_route else request.path.removeprefix(_filled(alias.path))
    successor = quote(_filled(alias.target) + below)
    response.headers["Deprecation"] = f"@{int(alias.deprecation.since.timestamp())}"
    response.headers["Sunset"] = http_date(alias.deprecation.sunset)
    response.headers.add("Link", f'<{successor}>; rel="successor-version"')
    return response


def _filled(path: str) -> str:
    """With what stands in the request's own path instead of names."""
    values = request.view_args or {}
    return _NAME.sub(lambda name: str(values.get(name[1], name[0])), path)
