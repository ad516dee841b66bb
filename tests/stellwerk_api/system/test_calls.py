"""Health and metrics say how calls are doing, where there are any."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert

from api import ApiUser
from calling import BEGAN, FENCE, asked, dialled, event, told
from people import add_user
from stellwerk.bootstrap import Platform
from stellwerk.calls import breaker, dialing
from stellwerk.calls.model import Call, CallTrunk
from stellwerk.choices import CallProvider, Mode
from stellwerk.providers.calls.protocol import EventKind, TrunkHealth
from stellwerk_api import metrics
from stellwerk_api.system import health

E = EventKind
TRUNK = "freeswitch"


@pytest.fixture(autouse=True)
def _counted_anew() -> Iterator[None]:
    metrics.call_metrics.cache_clear()
    yield
    metrics.call_metrics.cache_clear()


def part(user: ApiUser) -> dict[str, str] | None:
    """What is said of calls."""
    answer = user.get("/health/ready")
    assert answer.status_code == 200
    return next((one for one in answer.get_json()["parts"] if one["name"] == "calls"), None)


def trunk(platform: Platform, **values: Any) -> None:
    """The trunk, held by somebody who looked at it just now, unless told otherwise."""
    now = datetime.now(UTC)
    well = {
        "is_connected": True,
        "is_simulated": True,
        "gateways": {"trunk": True},
        "holder": "tests",
        "held_until": now + timedelta(minutes=5),
        "checked_at": now,
        **values,
    }
    statement = insert(CallTrunk).values(name=TRUNK, **well)
    with platform.runtime.sessions.begin() as session:
        session.execute(statement.on_conflict_do_update(index_elements=["name"], set_=well))


def test_where_no_calls_are_set_up_nothing_is_said_of_them(nobody: ApiUser) -> None:
    assert part(nobody) is None


def test_a_carrier_that_nobody_has_looked_at_is_degraded(platform: Platform) -> None:
    settings = platform.settings.model_copy(update={"call_provider": CallProvider.TWILIO})
    (found,) = [
        one for one in health.parts(replace(platform, settings=settings)) if one.name == "calls"
    ]
    assert (found.status, "twilio" in found.message) == ("degraded", True)


def test_a_simulator_is_called_one_wherever_it_shows(platform: Platform, nobody: ApiUser) -> None:
    trunk(platform)
    found = part(nobody)
    assert found is not None
    assert (found["status"], found["message"]) == (
        "ok",
        "freeswitch (simulator): connected; up: trunk; the breaker is closed.",
    )


def test_in_production_a_simulator_degrades(platform: Platform) -> None:
    trunk(platform)
    settings = platform.settings.model_copy(update={"mode": Mode.PRODUCTION})
    (found,) = [
        one for one in health.parts(replace(platform, settings=settings)) if one.name == "calls"
    ]
    assert (found.status, "nothing is dialled over a simulator" in found.message) == (
        "degraded",
        True,
    )


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"held_until": None}, "no telephony process is at work"),
        ({"held_until": datetime(2026, 1, 1, tzinfo=UTC)}, "no telephony process is at work"),
        ({"checked_at": datetime(2026, 1, 1, tzinfo=UTC)}, "has not looked at it lately"),
        ({"is_connected": False}, "not connected"),
        ({"gateways": {"a": True, "b": False}}, "down: b"),
        ({"breaker": "open"}, "the breaker is open"),
        ({"breaker": "half_open"}, "one call at a time"),
    ],
)
def test_what_is_wrong_degrades_and_never_takes_the_platform_down(
    platform: Platform, nobody: ApiUser, values: dict[str, Any], says: str
) -> None:
    trunk(platform, **values)
    found = part(nobody)
    assert found is not None
    assert found["status"] == "degraded"
    assert says in found["message"]


def samples(user: ApiUser) -> dict[tuple[str, ...], float]:
    """Every sample of calls, by its name and the values of its labels, in this order."""
    order = ("trunk", "simulated", "gateway", "state", "cause", "le")
    families = text_string_to_metric_families(user.get("/metrics").text)
    return {
        (
            one.name.removeprefix("stellwerk_"),
            *(one.labels[name] for name in order if name in one.labels),
        ): one.value
        for family in families
        for one in family.samples
        if one.name.startswith("stellwerk_call")
    }


def a_talk(platform: Platform, user_id: int, lasts_s: float) -> None:
    call_id = dialled(platform, user_id).call_id
    told(platform, event(call_id, E.RINGING), event(call_id, E.ANSWERED, 3))
    told(platform, event(call_id, E.HUNG_UP, 3 + lasts_s, cause="NORMAL_CLEARING"))


def test_calls_are_counted_so_that_asr_and_acd_follow(platform: Platform, admin: ApiUser) -> None:
    user_id = add_user(platform, subscription_tier="enterprise")
    a_talk(platform, user_id, 60)
    a_talk(platform, user_id, 20)
    busy = dialled(platform, user_id).call_id
    told(platform, event(busy, E.CREATED), event(busy, E.HUNG_UP, 2, cause="USER_BUSY"))
    unknown = dialled(platform, user_id).call_id
    dialing.uncertain(platform.runtime, TRUNK, unknown)
    dialled(platform, user_id)
    asked(platform, user_id)

    found = samples(admin)

    ended = ("calls_ended_total", TRUNK)
    assert found[*ended, "completed", "NORMAL_CLEARING"] == 2
    assert found[*ended, "busy", "USER_BUSY"] == 1
    assert not any(labels[:3] == (*ended, "failed") for labels in found)
    assert found["calls_unsettled", TRUNK, "failed", "UNKNOWN"] == 1
    assert found["calls", TRUNK, "dialing"] == 1
    assert found["calls", TRUNK, "queued"] == 1
    assert found["call_originations_total", TRUNK] == 5
    assert found["call_talk_seconds_count", TRUNK] == 2
    assert found["call_talk_seconds_sum", TRUNK] == 80
    assert found["call_talk_seconds_bucket", TRUNK, "30.0"] == 1
    assert found["call_talk_seconds_bucket", TRUNK, "60.0"] == 2
    assert found["call_talk_seconds_bucket", TRUNK, "+Inf"] == 2
    assert found["call_wait_seconds_count", TRUNK] == 3
    assert found["call_events_total",] == 8
    assert found["calls_cost_eur_total", TRUNK] > 0


def test_a_simulators_calls_are_counted_and_cost_nothing(
    platform: Platform, admin: ApiUser
) -> None:
    user_id = add_user(platform, subscription_tier="enterprise")
    a_talk(platform, user_id, 60)
    cost = samples(admin)["calls_cost_eur_total", TRUNK]
    trunk(platform, fence=FENCE)
    a_talk(platform, user_id, 60)
    with platform.runtime.sessions.begin() as session:
        session.execute(update(Call).values(cost_eur=1).where(Call.is_simulated))
    metrics.call_metrics.cache_clear()  # what ended long ago is counted once
    found = samples(admin)
    assert found["calls_simulated_total", TRUNK] == 1
    assert found["calls_ended_total", TRUNK, "completed", "NORMAL_CLEARING"] == 2
    assert found["calls_cost_eur_total", TRUNK] == cost > 0


def test_what_ended_long_ago_is_counted_once_and_the_same_by_a_process_that_starts_now(
    platform: Platform, admin: ApiUser
) -> None:
    assert datetime.now(UTC) - timedelta(hours=2) > BEGAN
    user_id = add_user(platform, subscription_tier="enterprise")
    a_talk(platform, user_id, 60)
    counted = [samples(admin) for _ in range(2)]
    metrics.call_metrics.cache_clear()
    assert counted == [samples(admin)] * 2


def test_the_breaker_and_the_trunk_are_shown(platform: Platform, admin: ApiUser) -> None:
    trunk(platform)
    assert samples(admin)["call_trunk_up", TRUNK, "true"] == 1
    with platform.runtime.sessions.begin() as session:
        down = TrunkHealth(is_connected=False, gateways={"trunk": False})
        breaker.checked(session, platform.runtime, TRUNK, down)
        session.execute(update(CallTrunk).values(breaker="open"))
    found = samples(admin)
    assert found["call_trunk_up", TRUNK, "true"] == 0
    assert found["call_gateway_up", TRUNK, "trunk"] == 0
    assert found["call_trunk_held", TRUNK] == 1
    assert found["call_breaker", TRUNK, "open"] == 1
    assert found["call_breaker", TRUNK, "closed"] == 0
