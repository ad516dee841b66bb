"""A switch goes away under the process that dials, and comes back: nobody has to help."""

from collections.abc import Iterator

import pytest

from api import ApiUser, error_of
from called import TO, telephonist
from embedded import wait_until
from engine import TELEPHONY, Engine, stop_engines
from people import add_user
from stellwerk.bootstrap import Platform
from stellwerk.configuration import service
from stellwerk.errors import ErrorCode
from switchboard import Switchboard, dialling_over, running_switchboard

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(180)]

SPARING = {"calls.breaker_failures": 2, "calls.breaker_open_s": 1}
PATIENCE_S = 60.0  # it looks every 5 s, and tries a connection again ever later


@pytest.fixture
def switch(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switchboard]:
    """With a telephony process over it, and a breaker that opens after two bad looks."""
    stop_engines()
    configure(platform)
    with running_switchboard(tmp_path_factory.mktemp("switch")) as running:
        settings = dialling_over(running, platform.settings)
        engine = Engine(settings, tmp_path_factory.mktemp("telephony"))
        try:
            engine.start(TELEPHONY[0])
            yield running
        finally:
            engine.stop()


def test_calls_are_refused_while_the_switch_is_gone_and_taken_when_it_is_back(
    ada: ApiUser, switch: Switchboard
) -> None:
    caller = telephonist(ada)
    wait_until(lambda: health(ada)["status"] == "ok", timeout_s=PATIENCE_S)
    assert caller.post("/call", {"to": TO}).status_code == 202

    switch.kill()
    wait_until(lambda: "the breaker is open" in health(ada)["message"], timeout_s=PATIENCE_S)
    refused = caller.post("/call", {"to": TO})
    assert error_of(refused, 503)["code"] == ErrorCode.TRUNK_UNAVAILABLE
    assert int(refused.headers["Retry-After"]) > 0
    assert len(caller.get("/call-history").get_json()["items"]) == 1

    switch.start()
    wait_until(lambda: health(ada)["status"] == "ok", timeout_s=PATIENCE_S)
    assert caller.post("/call", {"to": TO}).status_code == 202


def health(user: ApiUser) -> dict[str, str]:
    parts = user.client.get("/api/v1/health/ready").get_json()["parts"]
    return next((part for part in parts if part["name"] == "calls"), {"status": "", "message": ""})


def configure(platform: Platform) -> None:
    with platform.runtime.sessions.begin() as session:
        service.change(session, SPARING, seen=None, by=add_user(platform))
    platform.configuration.refresh()
