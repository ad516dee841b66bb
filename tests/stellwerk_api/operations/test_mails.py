"""Who may have mails sent, and what is refused before a job is stored."""

from typing import Any

import pytest

from api import ApiUser, error_of
from stellwerk.errors import ErrorCode

WORDS = {"to": "ada@example.com", "subject": "Signals", "text": "Hello."}


def sending(user: ApiUser, headers: dict[str, str] | None = None, **payload: Any) -> Any:
    body = {"operation": "email.send", "payload": {**WORDS, **payload}}
    return user.post("/jobs", body, headers=headers)


def test_not_everybody_may_write_in_the_platforms_name(ada: ApiUser, admin: ApiUser) -> None:
    error = error_of(sending(ada), 403)
    assert error["details"] == {"permission": "mail:send"}
    assert sending(admin).status_code == 202


def test_a_program_has_to_say_which_mail_it_is(admin: ApiUser) -> None:
    program = admin.with_key()
    error = error_of(sending(program), 400)
    assert error["code"] == ErrorCode.IDEMPOTENCY_KEY_REQUIRED

    first, second = (sending(program, {"Idempotency-Key": "report-7"}) for _ in range(2))

    assert (first.status_code, second.status_code) == (202, 202)
    assert second.headers["Idempotency-Replayed"] == "true"
    assert first.get_json()["job_id"] == second.get_json()["job_id"]


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({"subject": "Signals\r\nBcc: eve@example.com"}, "payload.subject"),
        ({"to": "ada@example.com\r\nRCPT TO:<eve@example.com>"}, "payload.to.0"),
        ({"cc": ["ada@example.com", "nobody"]}, "payload.cc.1"),
    ],
)
def test_what_cannot_be_sent_is_refused_by_field(
    admin: ApiUser, payload: dict[str, Any], field: str
) -> None:
    error = error_of(sending(admin, **payload), 422)
    assert [one["field"] for one in error["details"]["errors"]] == [field]
