"""What administrators read of the record."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from api import ApiUser, error_of
from stellwerk.audit import privacy
from stellwerk.audit.actions import Action, Party
from stellwerk.audit.trail import record
from stellwerk.bootstrap import Platform

Tell = Callable[..., None]


@pytest.fixture
def tell(platform: Platform) -> Tell:
    def tell(action: Action = Action.QUEUE_PAUSED, **fields: Any) -> None:
        with platform.runtime.sessions.begin() as session:
            record(session, action=action, **{"actor": Party.SYSTEM, **fields})

    return tell


def listed(user: ApiUser, query: str = "") -> list[dict[str, object]]:
    answer = user.get(f"/audit?limit=200&{query}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, object]] = answer.get_json()["items"]
    return found


def test_the_record_is_for_admins(ada: ApiUser) -> None:
    assert error_of(ada.get("/audit"), 403)["details"] == {"permission": "audit:read"}


def test_an_entry_is_shown_with_who_what_and_where_from(
    admin: ApiUser, ada: ApiUser, tell: Tell
) -> None:
    user_id = ada.user["id"]
    tell(
        Action.JOB_CANCELLED,
        actor=admin.user["id"],
        subject_user_id=user_id,
        target="job:1",
        details={"operation": "diagnostics.echo"},
    )
    (entry,) = listed(admin, "action=job.cancelled")
    assert entry["actor_user_id"] == admin.user["id"]
    assert entry["subject_user_id"] == user_id
    assert entry["details"] == {"operation": "diagnostics.echo"}
    assert (entry["target"], entry["actor_kind"], entry["erased"]) == ("job:1", "user", False)


def test_that_the_record_was_read_is_on_record(admin: ApiUser) -> None:
    listed(admin, f"subject={admin.user['id']}")
    (entry,) = listed(admin, "action=audit.read")
    assert entry["details"] == {"subject": admin.user["id"]}
    origin = entry["origin"]
    assert isinstance(origin, dict)
    assert origin["address"] == "127.0.0.1"
    assert origin["user_agent"].startswith("Werkzeug")
    assert origin["credential"].startswith("session:")
    assert origin["request_id"]


def test_that_somebodys_entries_were_read_is_forgotten_with_them(
    admin: ApiUser, ada: ApiUser
) -> None:
    for number in (int(ada.user["id"]), 2**30):  # the second is nobody's
        assert admin.get(f"/audit?subject={number}").status_code == 200
    about = admin.get("/audit?action=audit.read").get_json()["items"]
    assert [entry["subject_user_id"] for entry in about[-2:]] == [None, int(ada.user["id"])]


def test_what_was_erased_says_so(
    platform: Platform, admin: ApiUser, ada: ApiUser, tell: Tell
) -> None:
    tell(Action.ACCOUNT_CHANGED, subject_user_id=ada.user["id"], details={"role": "operator"})
    with platform.runtime.sessions.begin() as session:
        privacy.erase(session, int(ada.user["id"]))
    (entry,) = listed(admin, "action=account.changed")
    assert entry["erased"]
    assert entry["details"] is None
    assert entry["subject_user_id"] is None
    assert entry["subject"]
    assert listed(admin, f"subject={ada.user['id']}") == []


def test_entries_are_found_by_time_and_paged(admin: ApiUser, tell: Tell) -> None:
    for number in range(5):
        tell(target=f"queue:{number}")
    now = datetime.now(UTC).isoformat().replace("+", "%2B")
    targets = [f"queue:{number}" for number in (4, 3, 2, 1, 0)]
    assert [entry["target"] for entry in listed(admin, f"action=queue.paused&to={now}")] == targets
    assert listed(admin, f"action=queue.paused&from={now}") == []
    paged: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        query = f"/audit?action=queue.paused&limit=2{f'&cursor={cursor}' if cursor else ''}"
        page = admin.get(query).get_json()
        paged += [entry["target"] for entry in page["items"]]
        cursor = page["next_cursor"]
    assert paged == targets


@pytest.mark.parametrize(
    "query", ["action=jobs.eaten", "actor=0", "cursor=x", "from=then", "who=1"]
)
def test_what_makes_no_sense_is_refused(admin: ApiUser, query: str) -> None:
    error_of(admin.get(f"/audit?{query}"), 422)
