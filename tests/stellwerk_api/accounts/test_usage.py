from datetime import UTC, datetime, timedelta

from api import ApiUser
from called import TO, telephonist


def test_usage_counts_channels_videos_and_money_against_the_limits(ada: ApiUser) -> None:
    channel = ada.post("/channels/", {"name": "Signals"}).get_json()["id"]
    body = {"channel_id": channel, "topic": "How signals work", "target_duration": 30}
    assert ada.post("/videos/generate", body).status_code == 202

    said = ada.get("/users/me/usage").get_json()

    assert said["channels"] == {"used": 1, "limit": 1}
    videos, budget = said["videos_today"], said["budget_this_month"]
    assert (videos["used"], videos["limit"]) == (1, 2)
    assert (budget["spent"], budget["limit"]) == (0, 10)
    assert 0 < budget["reserved"] < 1
    assert budget["left"] == 10 - budget["reserved"]


def test_days_and_months_begin_at_midnight_utc(ada: ApiUser) -> None:
    now = datetime.now(UTC)
    said = ada.get("/users/me/usage").get_json()
    day, month = (
        datetime.fromisoformat(said[name]["resets_at"])
        for name in ("videos_today", "budget_this_month")
    )
    assert now < day <= now + timedelta(days=1, minutes=1)
    assert (day.hour, day.minute, day.second) == (0, 0, 0)
    assert now < month <= now + timedelta(days=31, minutes=1)
    assert (month.day, month.hour) == (1, 0)


def test_usage_counts_calls_of_the_day_and_those_that_have_not_ended(ada: ApiUser) -> None:
    caller = telephonist(ada)
    first = caller.post("/call", {"to": TO}).get_json()["call_id"]
    assert caller.post("/call", {"to": TO}).status_code == 202
    assert caller.post(f"/call/{first}/hangup").status_code == 200
    said = ada.get("/users/me/usage").get_json()
    assert (said["calls_today"]["used"], said["calls_today"]["limit"]) == (2, 50)
    assert said["calls_today"]["resets_at"] == said["videos_today"]["resets_at"]
    assert said["calls_at_once"] == {"used": 1, "limit": 2}
