"""Structured logs: one JSON object a line, or readable lines for a terminal."""

import json
import logging
import sys
from typing import Any

import orjson
import structlog
from structlog.types import Processor

from stellwerk.error_tracking import start_error_tracking, track
from stellwerk.masking import mask_personal
from stellwerk.settings import Settings

# They write down what they send: URLs, headers and messages, with the secrets in them.
TALKATIVE = (
    "authlib",
    "botocore",
    "httpcore",
    "httpx",
    "openai",
    "telnyx",
    "twilio",
    "urllib3",
    "websockets",
)


def configure_logs(settings: Settings, *, role: str, forks: bool = True) -> None:
    """Send our own and every library's log lines to stderr in one form.

    Errors are sent to where the settings say. A process that never forks takes a shorter way
    (structlog's lock would not survive a fork).
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        *([track] if start_error_tracking(settings, role) else ()),
        structlog.processors.format_exc_info,
        mask_personal,
    ]
    if forks or settings.log_format == "console":
        _through_logging(shared)
    else:
        _straight_to_stderr(shared, settings)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _renderer(settings),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level.upper())
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(max(root.level, logging.WARNING))


def _through_logging(shared: list[Processor]) -> None:
    structlog.configure(
        processors=[
            structlog.stdlib.add_logger_name,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def _straight_to_stderr(shared: list[Processor], settings: Settings) -> None:
    """Our own lines without the standard library's logging, which costs five times as much."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(serializer=_as_json)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )


def _renderer(settings: Settings) -> Processor:
    if settings.log_format == "console":
        return structlog.dev.ConsoleRenderer()
    return structlog.processors.JSONRenderer()


def _as_json(line: Any, default: Any) -> bytes:
    """JSON; what orjson refuses (integers beyond 64 bits, lone surrogates) the slower way."""
    try:
        return orjson.dumps(line, default=default, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        return json.dumps(line, default=default, skipkeys=True).encode()
