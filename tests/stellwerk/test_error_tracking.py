"""Errors go to whoever speaks Sentry's protocol, and nobody's data or secret goes with them."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded import wait_until
from error_reports import content, dsn_of, events
from receiver import receiving
from stellwerk.error_tracking import codes_of, start_error_tracking
from stellwerk.errors import ConfigurationError, ProviderUnavailable
from stellwerk.settings import environment, load_settings

ROOT = Path(__file__).parents[2]
MARKS = (b"ada@example.com", b"+4930", b"hunter2")
PROGRAM = """
import logging, sentry_sdk, structlog
from stellwerk.errors import ProviderUnavailable
from stellwerk.logs import configure_logs
from stellwerk.settings import settings

configure_logs(settings(), role="tests", forks=%s)
log = structlog.get_logger()

def call(address, password="hunter2"):
    raise ProviderUnavailable(f"no answer for {address}")

try:
    call("ada@example.com")
except ProviderUnavailable as exc:
    try:
        raise ValueError(f"+4930123456: {exc}") from exc
    except ValueError:
        log.exception("failed", job_id="the-job", email="ada@example.com", payload={"p": "hunter2"})
log.error("no traceback", failure="KeyError", number="+4930123456")
logging.getLogger("library").error("ada@example.com is refused")
try:
    call("+4930123456")
except ProviderUnavailable:
    logging.getLogger("library").exception("ada@example.com is refused")
log.warning("a warning", exc_info=ValueError("ada@example.com"))
sentry_sdk.get_client().options["shutdown_timeout"] = 60  # whoever is told may be slow
raise RuntimeError("hunter2")
"""
# What ends each process as soon as it starts, and how that is called.
NOWHERE = {"STELLWERK_DATABASE_URL": "nonsense://hunter2@127.0.0.1/"}
STARTS = {
    "web": ("-c", "from stellwerk_api.app import create_app; create_app()"),
    "dispatcher": ("-m", "stellwerk_workers.dispatcher"),
    "realtime": ("-m", "stellwerk_api.realtime"),
}


@pytest.mark.parametrize("forks", [True, False])
def test_errors_are_sent_without_what_they_were_about(*, forks: bool) -> None:
    with receiving([200]) as server:
        ended = subprocess.run(  # noqa: S603  our own program
            [sys.executable, "-c", PROGRAM % forks],
            env=environment() | {"SENTRY_DSN": dsn_of(server)},
            capture_output=True,
            check=False,
        )
        traced, told, foreign, fatal = events(server)
    assert (ended.returncode, server.requests[0].path) == (1, "/api/1/envelope/")
    assert not [mark for mark in MARKS for sent in server.requests if mark in content(sent)]

    values = traced["exception"]["values"]
    assert {value["type"]: value["value"] for value in values} == {
        "ProviderUnavailable": "PROVIDER_UNAVAILABLE",
        "ValueError": "",
    }
    assert values[0]["stacktrace"]["frames"][-1]["function"] == "call"
    assert traced["tags"] == {"job_id": "the-job"}
    assert (traced["server_name"], traced["environment"]) == ("tests", "development")
    assert (told["message"], told["tags"]) == ("no traceback", {"failure": "KeyError"})
    assert foreign["exception"]["values"][0]["type"] == "ProviderUnavailable"
    assert fatal["exception"]["values"][0]["mechanism"]["handled"] is False


@pytest.mark.parametrize("role", STARTS)
def test_a_process_reports_what_ends_it(role: str, tmp_path: Path) -> None:
    with receiving([200]) as server:
        given = {
            "SENTRY_DSN": dsn_of(server),
            "STELLWERK_HOME": str(tmp_path),
            "STELLWERK_REALTIME_PORT": str(server.port),  # which is taken
            "REDIS_URL": f"redis://127.0.0.1:{server.port}/0",
            "JWT_SECRET_KEY": "k" * 32,
            "STELLWERK_ENCRYPTION_KEY": "e" * 32,
        }
        started = subprocess.Popen(  # noqa: S603  our own programs
            [sys.executable, *STARTS[role]],
            env=environment() | NOWHERE | given,
            stderr=subprocess.PIPE,
        )
        try:
            wait_until(lambda: bool(server.requests), timeout_s=60)
        finally:
            started.kill()
            _, said = started.communicate()
        (event,) = events(server)
    assert event["server_name"] == role, said
    assert b"hunter2" not in content(server.requests[0])


def test_it_is_off_without_a_dsn() -> None:
    assert start_error_tracking(load_settings(error_dsn=""), "tests") is False


def test_a_wrong_dsn_stops_the_start() -> None:
    with pytest.raises(ConfigurationError, match="STELLWERK_ERROR_DSN"):
        start_error_tracking(load_settings(error_dsn="nonsense"), "tests")


def texts(source: str) -> Iterator[ast.expr]:
    """The text of every `log.error(...)` and its like."""
    tree = ast.parse(source if "log." in source else "")
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(
                    value=ast.Name(id="log"), attr=("critical" | "error" | "exception")
                ),
                args=[text],
            ):
                yield text


@pytest.mark.parametrize("package", ["platform", "api", "workers"])
def test_the_text_of_our_errors_in_the_log_is_constant(package: str) -> None:
    varying = [
        f"{path}:{text.lineno}"
        for path in (ROOT / package).rglob("*.py")
        for text in texts(path.read_text())
        if not isinstance(text, ast.Constant)
    ]
    assert not varying


def test_causes_that_lead_back_to_their_start_are_read_once() -> None:
    first, second = ProviderUnavailable("one"), ValueError("two")
    first.__cause__, second.__cause__ = second, first
    assert list(codes_of(second)) == [("ProviderUnavailable", "PROVIDER_UNAVAILABLE")]
