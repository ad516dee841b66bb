from typing import Any
from urllib.parse import quote

import pytest

from api import ApiUser


def ids(user: ApiUser, query: str = "") -> list[str]:
    answer = user.get(f"/jobs{query}")
    assert answer.status_code == 200, answer.text
    return [job["job_id"] for job in answer.get_json()["items"]]


def test_a_list_is_newest_first_and_only_ones_own(ada: ApiUser, bob: ApiUser) -> None:
    mine = [ada.submit() for _ in range(3)]
    bob.submit()
    assert ids(ada) == mine[::-1]


def test_pages_follow_each_other_without_gap_or_repeat(ada: ApiUser) -> None:
    mine = [ada.submit() for _ in range(5)]
    found, cursor = [], ""
    for _ in range(3):
        page: dict[str, Any] = ada.get(f"/jobs?limit=2{cursor}").get_json()
        found += [job["job_id"] for job in page["items"]]
        cursor = f"&cursor={page['next_cursor']}"
    assert found == mine[::-1]
    assert page["next_cursor"] is None


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?status=cancelled", ["echo"]),
        ("?status=scheduled,cancelled", ["sleep", "echo"]),
        ("?status=scheduled&status=cancelled", ["sleep", "echo"]),
        ("?status=scheduled&status=failed,cancelled", ["sleep", "echo"]),
        ("?status=scheduled", ["sleep"]),
        ("?status=queued", []),
        ("?operation=diagnostics.sleep", ["sleep"]),
        ("?tag=blue", ["sleep"]),
        ("?tag=red", []),
        ("?from=2000-01-01T00:00:00Z", ["sleep", "echo"]),
        ("?to=2000-01-01T00:00:00Z", []),
        ("?from=" + quote("2999-01-01T00:00:00+01:00"), []),
    ],
)
def test_a_list_is_narrowed(ada: ApiUser, query: str, expected: list[str]) -> None:
    jobs = {"echo": ada.submit(), "sleep": ada.submit("diagnostics.sleep", tags=["blue"])}
    ada.post(f"/jobs/{jobs['echo']}/cancel")
    assert ids(ada, query) == [jobs[name] for name in expected]
