"""Sends errors that are logged, or end a process, to a server that speaks Sentry's protocol.

Off unless `STELLWERK_ERROR_DSN` is set. What is sent: the constant text of our own log lines,
classes of exceptions, codes of our own errors, places in the code, ids of job and request. What is
not: messages of exceptions, values of variables, requests, and everything else that may hold a
secret, a payload or something about a person (develop.sentry.dev/sdk/envelopes).
"""

import importlib
from collections.abc import Iterator, Mapping, MutableMapping
from importlib.metadata import version
from typing import Any

from stellwerk.errors import ConfigurationError, StellwerkError
from stellwerk.masking import masked_text
from stellwerk.settings import Settings

TAGS = frozenset({"job_id", "attempt", "request_id", "operation", "failure"})
# What is kept of an event, of an exception in it, of its mechanism, and of a frame.
EVENT = frozenset(
    {
        "environment",
        "event_id",
        "level",
        "message",
        "platform",
        "release",
        "sdk",
        "server_name",
        "tags",
        "timestamp",
    }
)
EXCEPTION = frozenset({"module", "type"})
MECHANISM = frozenset({"exception_id", "handled", "parent_id", "source", "type"})
FRAME = frozenset({"context_line", "filename", "function", "in_app", "lineno", "module"})

_LEVELS = frozenset({"error", "critical"})

Event = MutableMapping[str, Any]


def start_error_tracking(settings: Settings, role: str) -> bool:
    """Begin, where a DSN is set; returns whether one is.

    A forked process does so anew: the connection of the one it came from is not its own. Raises
    ConfigurationError for a wrong DSN, or where the extra `errors` is not installed.
    """
    dsn = settings.error_dsn.get_secret_value()
    if not dsn:
        return False
    try:  # needed by few
        sdk: Any = importlib.import_module("sentry_sdk")
    except ModuleNotFoundError as exc:
        message = "STELLWERK_ERROR_DSN is set: pip install 'stellwerk[errors]', which sends there."
        raise ConfigurationError(message) from exc
    try:
        sdk.init(
            dsn=dsn,
            release=f"stellwerk@{version('stellwerk')}",
            environment=settings.mode.value,
            server_name=role,
            integrations=_integrations(),
            before_send=scrubbed,
            **_ONLY_ERRORS,
        )
    except sdk.utils.BadDsn as exc:
        raise ConfigurationError("STELLWERK_ERROR_DSN is no DSN.") from exc
    return True


_ONLY_ERRORS: Mapping[str, Any] = {
    "default_integrations": False,
    "auto_enabling_integrations": False,
    "auto_session_tracking": False,
    "send_client_reports": False,
    "include_local_variables": False,
    "max_request_body_size": "never",
    "max_breadcrumbs": 0,
    "spotlight": False,
    "debug": False,
}


def _integrations() -> list[Any]:
    """What ends a process is sent as well, and what is left at its end goes out without a word."""
    atexit: Any = importlib.import_module("sentry_sdk.integrations.atexit")
    excepthook: Any = importlib.import_module("sentry_sdk.integrations.excepthook")
    return [atexit.AtexitIntegration(lambda *_: None), excepthook.ExcepthookIntegration()]


def track(_: Any, __: str, line: Event) -> Event:
    """A processor of log lines: errors are sent as well."""
    failure = line.get("exc_info")
    is_ours = "_record" not in line  # then its text is a constant; of libraries' it may not be
    if line.get("level") in _LEVELS and (failure or is_ours):
        sdk: Any = importlib.import_module("sentry_sdk")
        with sdk.new_scope() as scope:
            for name in TAGS & line.keys():
                scope.set_tag(name, masked_text(str(line[name])))
            if failure:
                sdk.capture_exception(None if failure is True else failure)
            else:
                sdk.capture_message(masked_text(str(line["event"])), level="error")
    return line


def scrubbed(event: Event, hint: Mapping[str, Any]) -> Event:
    """What is left of an event once all that may hold a value is out of it."""
    kept = _only(EVENT, event)
    if "exception" in event:
        codes = dict(codes_of((hint.get("exc_info") or (None, None, None))[1]))
        values = [_exception(value, codes) for value in event["exception"]["values"]]
        kept["exception"] = {"values": values}
    return kept


def _exception(value: Event, codes: Mapping[str, str]) -> Event:
    frames = (value.get("stacktrace") or {}).get("frames", ())
    return {
        **_only(EXCEPTION, value),
        "value": codes.get(value["type"], ""),
        "mechanism": _only(MECHANISM, value.get("mechanism") or {}),
        "stacktrace": {"frames": [_only(FRAME, frame) for frame in frames]},
    }


def _only(names: frozenset[str], found: Event) -> Event:
    return {name: value for name, value in found.items() if name in names}


def codes_of(failure: BaseException | None) -> Iterator[tuple[str, str]]:
    """Codes of our own errors in the chain, which say more than their class does."""
    seen: set[int] = set()  # a chain may lead back to its start
    while failure is not None and id(failure) not in seen:
        seen.add(id(failure))
        if isinstance(failure, StellwerkError):
            yield type(failure).__name__, str(failure.code)
        failure = failure.__cause__ or failure.__context__
