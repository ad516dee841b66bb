"""What is read out of `Prefer` and `?wait=`."""

import pytest
from starlette.requests import Request

from stellwerk.errors import InvalidInput
from stellwerk_api.realtime.wishes import Wish, read_wish, watched_job

JOB = "01a20180-0000-7000-8000-000000000000"


def request(path: str, query: str = "", method: str = "GET", **headers: str) -> Request:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    return Request(
        {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": raw,
        }
    )


@pytest.mark.parametrize(
    ("prefer", "wish"),
    [
        ("wait=5", Wish(5, "", "")),
        ("wait=600", Wish(30, "", "")),
        ("wait=99999999999999999999", Wish(30, "", "")),
        ("wait=00000000000005", Wish(5, "", "")),
        ('respond-async, WAIT = "7"', Wish(7, "", "respond-async")),
        ("wait=3; reason=demo, return=minimal", Wish(3, "", "return=minimal")),
        ("wait=soon", Wish(0, "", "")),
        ("waiting=5", Wish(0, "", "waiting=5")),
        ("return=minimal", Wish(0, "", "return=minimal")),
    ],
)
def test_the_wait_is_taken_out_of_the_preferences(prefer: str, wish: Wish) -> None:
    assert read_wish(request("/api/v1/jobs", method="POST", prefer=prefer)) == wish


def test_the_wait_is_taken_out_of_a_polls_query() -> None:
    asked = request(f"/api/v1/jobs/{JOB}", "wait=4&x=a%20b&x=")
    assert read_wish(asked) == Wish(4, "x=a+b&x=", "")


@pytest.mark.parametrize(
    ("wait", "wait_s"),
    [("0", 0), ("30", 30), ("31", 30), ("9" * 5000, 30)],
    ids=["0", "30", "31", "endless"],
)
def test_a_poll_waits_as_long_as_it_asks_for_up_to_the_longest_wait(wait: str, wait_s: int) -> None:
    assert read_wish(request(f"/api/v1/jobs/{JOB}", f"wait={wait}")).wait_s == wait_s


def test_other_addresses_keep_their_query() -> None:
    asked = request("/api/v1/videos/", "wait=4")
    assert read_wish(asked) == Wish(0, "wait=4", "")


@pytest.mark.parametrize("wait", ["soon", "-1", "1.5", "٣", "", "1&wait=2"])
def test_a_poll_with_an_unreadable_wait_is_refused(wait: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_wish(request(f"/api/v1/jobs/{JOB}", f"wait={wait}"))
    assert caught.value.errors[0].field == "wait"


def test_streams_are_told_by_their_address_and_what_is_accepted() -> None:
    path = f"/api/v1/jobs/{JOB}/events"
    assert watched_job(request(path, accept="text/event-stream")) == JOB
    assert watched_job(request(path, accept="application/json, text/event-stream;q=0.9")) == JOB
    assert watched_job(request(path, accept="application/json")) is None
    assert watched_job(request(path, method="POST", accept="text/event-stream")) is None
    assert watched_job(request("/api/v1/jobs", accept="text/event-stream")) is None
