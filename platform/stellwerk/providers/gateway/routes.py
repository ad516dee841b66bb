"""Routes of modules as Caddy's JSON has them (https://caddyserver.com/docs/json/apps/http/).

All modules share one origin with the browser's rules for it, and its host with the platform. So
neither cookies nor tokens of the platform reach a module, and what it answers touches nothing but
its own addresses, as far as headers tell browsers to.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from stellwerk.providers.gateway.protocol import Routes

MODULE_ROUTES_ID = "module_routes"

# Whatever the API takes for credentials (stellwerk_api.credentials, .browser_sessions, .forwarded).
CREDENTIALS = ("Authorization", "Proxy-Authorization", "X-API-Key", "X-CSRF-Token", "X-Edge-Token")
PLATFORM_COOKIE = r"(__Host-|__Secure-)?stellwerk[^=;]*"  # names that begin like the platform's

# What would reach beyond a module's own addresses: the whole host, the whole origin, a proxy.
BEYOND_A_MODULE = (
    "Alt-Svc",
    "Clear-Site-Data",
    "NEL",
    "Public-Key-Pins",
    "Report-To",
    "Server",
    "Service-Worker-Allowed",
    "Strict-Transport-Security",
    "Trailer",
    "Via",
    "X-Accel-*",
)

Json = dict[str, Any]


def caddy_routes(routes: Routes) -> list[Json]:
    """Two for each module: to its folder's address, and from there to its primary instance."""
    return [
        route
        for name, address in sorted(routes.items())
        for route in (_to_folder(name), _to_instance(name, address))
    ]


def addresses(found: Sequence[Json]) -> Routes:
    """The addresses by module name that such routes lead to."""
    handlers = [handler for route in found for handler in route["handle"]]
    names = [h["strip_path_prefix"] for h in handlers if h["handler"] == "rewrite"]
    dials = [h["upstreams"][0]["dial"] for h in handlers if h["handler"] == "reverse_proxy"]
    return {name.strip("/"): dial for name, dial in zip(names, dials, strict=True)}


def _to_folder(name: str) -> Json:
    address = f"/{name}/{{http.request.uri.prefixed_query}}"
    answer = {"handler": "static_response", "status_code": 308, "headers": {"Location": [address]}}
    return {"match": [_path(f"^/{name}$")], "handle": [answer], "terminal": True}


def _to_instance(name: str, address: str) -> Json:
    rewrite = {"handler": "rewrite", "strip_path_prefix": f"/{name}"}
    return {
        "match": [_path(f"^/{name}/")],
        "handle": [rewrite, *_DEFAULTS, _answers(name), _proxy(name, address)],
        "terminal": True,
    }


def _path(pattern: str) -> Json:
    """By a pattern, since Caddy's plain matcher of paths ignores case."""
    return {"path_regexp": {"pattern": pattern}}


def _proxy(name: str, address: str) -> Json:
    return {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": address}],
        "load_balancing": {"try_duration": "2s", "try_interval": "100ms"},
        "flush_interval": -1,
        "stream_close_delay": "1h",  # sockets outlast a change of the routes
        "transport": {"protocol": "http", "keep_alive": {"idle_timeout": "2s"}},
        "headers": {"request": _asked(name)},
    }


def _asked(name: str) -> Json:
    return {
        "delete": list(CREDENTIALS),
        "set": {
            "X-Forwarded-For": ["{http.vars.client_ip}"],  # not the edge, which asks in its name
            "X-Forwarded-Prefix": [f"/{name}"],
        },
        "replace": {
            "Cookie": [_replace(rf"(^|;)\s*{PLATFORM_COOKIE}=[^;]*"), _replace(r"^[;\s]+")]
        },
    }


def _answers(name: str) -> Json:
    """A cookie belongs to the module's own addresses; one named like the platform's is dropped.

    One without a name counts too: browsers send what it holds as if it had one. All this is done
    where headers are written, since the proxy changes neither those of a socket's handshake nor
    those of what comes before an answer (1xx).
    """
    response = {
        "deferred": True,
        "delete": list(BEYOND_A_MODULE),
        "set": {"X-Content-Type-Options": ["nosniff"]},
        "replace": {
            "Set-Cookie": [
                _replace(rf"(?i)^[\s=]*{PLATFORM_COOKIE}=.*"),
                _replace(r"(?i);\s*(path|domain)\s*=[^;]*"),
                _replace(r"^(.+)$", f"$1; Path=/{name}/"),
            ]
        },
    }
    return {"handler": "headers", "response": response}


def _replace(pattern: str, by: str = "") -> Mapping[str, str]:
    return {"search_regexp": pattern, "replace": by}


def _default(header: str, value: str) -> Json:
    """Set where the module did not say it itself."""
    response = {"set": {header: [value]}, "require": {"headers": {header: None}}, "deferred": True}
    return {"handler": "headers", "response": response}


_DEFAULTS = (
    _default("Referrer-Policy", "same-origin"),
    _default("X-Frame-Options", "SAMEORIGIN"),
)
