"""Answers that took long are logged as such."""

import pytest
from structlog.testing import capture_logs

from stellwerk.bootstrap import Platform
from stellwerk_api.app import create_app


@pytest.mark.parametrize(
    ("slow_request_s", "line"),
    [
        (0.000001, ("slow request", "warning")),
        (60, ("request", "info")),
        (0, ("request", "info")),
    ],
)
def test_a_slow_request_is_a_warning_and_others_are_not(
    platform: Platform, slow_request_s: float, line: tuple[str, str]
) -> None:
    settings = platform.settings.model_copy(update={"slow_request_s": slow_request_s})
    here = Platform(
        settings, platform.engine, platform.live_client, platform.live, platform.runtime
    )
    client = create_app(here).test_client()
    with capture_logs() as lines:
        assert client.get("/api/v1/version").status_code == 200
    assert [(one["event"], one["log_level"]) for one in lines if "duration_ms" in one] == [line]


def test_addresses_that_nobody_can_guess_are_not_logged(platform: Platform) -> None:
    client = create_app(platform).test_client()
    with capture_logs() as lines:
        client.get("/api/v1/privacy/receipts/a-secret-of-the-person")
    (line,) = [one for one in lines if "duration_ms" in one]
    assert line["path"] == "/api/v1/privacy/receipts/<token>"
    assert "a-secret" not in str(lines)
