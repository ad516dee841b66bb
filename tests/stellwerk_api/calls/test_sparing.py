"""While a trunk is spared, calls are refused and everything else goes on."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from api import ApiUser, error_of
from called import TO, telephonist
from stellwerk.bootstrap import Platform
from stellwerk.calls import breaker
from stellwerk.calls.model import CallTrunk
from stellwerk.configuration.sparing import BREAKER_FAILURES
from stellwerk.errors import ErrorCode
from stellwerk.providers.calls.protocol import TrunkHealth

TRUNK = "freeswitch"
WELL = TrunkHealth(is_connected=True, gateways={"trunk": True})


@pytest.fixture
def caller(ada: ApiUser) -> ApiUser:
    return telephonist(ada)


def fails(platform: Platform) -> None:
    """As often as it takes to open."""
    for _ in range(platform.configuration[BREAKER_FAILURES]):
        with platform.runtime.sessions.begin() as session:
            breaker.note(session, platform.runtime, TRUNK, is_failure=True)


def is_checked_well_later(platform: Platform) -> None:
    """Its time is over, and the telephony process finds it well."""
    with platform.runtime.sessions.begin() as session:
        session.execute(update(CallTrunk).values(retry_at=CallTrunk.retry_at - timedelta(hours=1)))
    with platform.runtime.sessions.begin() as session:
        breaker.checked(session, platform.runtime, TRUNK, WELL)


def test_calls_are_refused_until_it_has_recovered_and_histories_are_shown_meanwhile(
    platform: Platform, caller: ApiUser
) -> None:
    placed = caller.post("/call", {"to": TO}).get_json()
    fails(platform)

    refused = caller.post("/call", {"to": TO})
    error = error_of(refused, 503)
    assert error["code"] == ErrorCode.TRUNK_UNAVAILABLE
    assert 5 <= int(refused.headers["Retry-After"]) <= 30
    assert len(caller.get("/call-history").get_json()["items"]) == 1
    assert caller.get(f"/call-status/{placed['call_id']}").status_code == 200
    assert caller.post(f"/call/{placed['call_id']}/hangup").status_code == 200

    for _ in ("half open", "closed"):
        is_checked_well_later(platform)
    assert caller.post("/call", {"to": TO}).status_code == 202
