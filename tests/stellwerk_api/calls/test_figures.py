"""`/admin/metrics`: how everybody's calls went."""

from datetime import timedelta
from typing import Any

import pytest

from api import ApiUser, error_of
from called import BEGAN, add_call
from stellwerk.bootstrap import Platform
from stellwerk.clock import rfc3339

DAY = timedelta(days=1)
RANGE = f"since={rfc3339(BEGAN - DAY)}&until={rfc3339(BEGAN + 3 * DAY)}"
ENDED: dict[str, Any] = {"cause": "NORMAL_CLEARING", "billable_s": 60, "cost_eur": "0.02"}


@pytest.fixture
def calls(platform: Platform, ada: ApiUser, bob: ApiUser) -> None:
    """On one day three that were answered, one busy, one that was never dialled; later others."""
    first, second = int(ada.user["id"]), int(bob.user["id"])
    for length_s in (10, 20, 60):
        add_call(platform, first, state="completed", duration_s=length_s, **ENDED)
    add_call(platform, second, state="busy", cause="USER_BUSY", is_simulated=True, cost_eur="0.5")
    add_call(platform, second, state="cancelled", intended_at=None)
    add_call(platform, second, state="failed", is_uncertain=True, created_at=BEGAN + DAY)
    add_call(platform, second, state="answered", created_at=BEGAN + DAY)
    add_call(platform, second, created_at=BEGAN + DAY)


@pytest.mark.usefixtures("calls")
def test_answers_their_length_and_cost_are_counted_by_day_state_and_cause(admin: ApiUser) -> None:
    found = admin.get(f"/admin/metrics?{RANGE}").get_json()
    assert (found["calls"], found["dialed"], found["answered"]) == (8, 5, 3)
    assert (found["asr_percent"], found["acd_s"], found["uncertain"]) == (60.0, 30.0, 1)
    assert (found["billable_s"], found["cost"], found["simulated"]) == (180, 0.06, 1)
    assert found["by_state"] == {
        "completed": 3,
        "busy": 1,
        "cancelled": 1,
        "failed": 1,
        "answered": 1,
        "queued": 1,
    }
    assert found["by_cause"] == {"NORMAL_CLEARING": 3, "USER_BUSY": 1}
    first, second = found["days"]
    assert (first["day"], first["calls"], first["asr_percent"]) == ("2026-03-01", 5, 75.0)
    assert (second["calls"], second["answered"], second["acd_s"]) == (3, 0, None)


@pytest.mark.usefixtures("calls")
def test_calls_at_once_are_counted_now_and_at_their_peak(admin: ApiUser) -> None:
    found = admin.get(f"/admin/metrics?{RANGE}").get_json()
    assert (found["queued"], found["concurrent"], found["concurrent_peak"]) == (1, 1, 6)


@pytest.mark.usefixtures("calls")
def test_without_a_range_the_last_month_is_measured(admin: ApiUser) -> None:
    by_alias = admin.client.get("/admin/metrics", headers=dict(admin.credentials))
    found = by_alias.get_json()
    assert (found["calls"], found["asr_percent"], found["acd_s"], found["days"]) == (
        0,
        None,
        None,
        [],
    )


@pytest.mark.parametrize(
    "query",
    ["since=2026-01-01T00:00:00Z&until=2027-01-03T00:00:00Z", "since=2999-01-01T00:00:00Z"],
)
def test_a_range_that_is_too_long_or_lies_ahead_is_refused(admin: ApiUser, query: str) -> None:
    refused = error_of(admin.get(f"/admin/metrics?{query}"), 422)
    assert refused["details"]["field"] == "since"


def test_only_administrators_see_them(ada: ApiUser) -> None:
    refused = error_of(ada.get("/admin/metrics"), 403)
    assert refused["details"] == {"permission": "calls:metrics"}
