"""No answer takes longer for an address that has an account, or less long.

What is compared is this thread's processor time: it holds the hash, which is most of it, and knows
nothing of how busy the machine is. Known and unknown addresses take turns, so that what changes
meanwhile changes both. It knows nothing of Postgres either, so what that is sent is compared, too.
"""

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import pytest
from sqlalchemy import event

from api import PASSWORD, ApiUser, account
from people import add_user
from stellwerk.bootstrap import Platform
from stellwerk.identity.passwords import hashed

TRIES = (50, 100, 200, 400)  # as many more are made only where the medians are not clearly close
APART = 0.05
CLEARLY = APART / 2


def medians(ask: Callable[[str], Any], known: str) -> tuple[float, float]:
    """Of 400 tries each, in seconds; of fewer where these differ by half of what they may."""
    took: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(10):
        ask(known)  # what is made once is made now
        ask(account()["email"])
    for tries in TRIES:
        while len(took[False]) < tries:
            for is_known, email in ((True, known), (False, account()["email"])):
                began = time.thread_time()
                ask(email)
                took[is_known].append(time.thread_time() - began)
        if abs(median(took[True]) / median(took[False]) - 1) < CLEARLY:
            break
    return median(took[True]), median(took[False])


@pytest.fixture
def known(platform: Platform) -> str:
    """The address of an account whose password is hashed as the platform does."""
    email = account()["email"]
    add_user(platform, email=email, password_hash=hashed(PASSWORD))
    return email


@pytest.mark.parametrize(
    ("path", "status", "fields"),
    [
        ("/auth/login", 401, {"password": "not theirs"}),
        ("/auth/register", 202, {"password": PASSWORD}),
    ],
)
def test_with_a_password_known_and_unknown_addresses_take_as_long(
    nobody: ApiUser, known: str, path: str, status: int, fields: dict[str, str]
) -> None:
    def ask(email: str) -> None:
        assert nobody.post(path, {"email": email, **fields}).status_code == status

    of_known, of_unknown = medians(ask, known)
    assert abs(of_known / of_unknown - 1) < APART, (of_known, of_unknown)


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/auth/login", {"password": "not theirs"}),
        ("/auth/session", {"password": "not theirs"}),
        ("/auth/register", {"password": PASSWORD}),
        ("/auth/password-reset", {}),
        ("/auth/verify-email", {}),
    ],
)
def test_postgres_is_sent_the_same_for_an_account_that_was_never_used(
    platform: Platform, nobody: ApiUser, known: str, path: str, fields: dict[str, str]
) -> None:
    sent: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        sent.append(" ".join(statement.split()[:3]))  # what is done to which table

    def statements(email: str) -> list[str]:
        sent.clear()
        nobody.post(path, {"email": email, **fields})
        return list(sent)

    statements(account()["email"])  # what is made once is made now
    event.listen(platform.engine, "before_cursor_execute", note)
    try:
        first, again, unknown = map(statements, (known, known, account()["email"]))
    finally:
        event.remove(platform.engine, "before_cursor_execute", note)
    assert first == again == unknown


@pytest.mark.parametrize("path", ["/auth/password-reset", "/auth/verify-email"])
def test_without_one_they_do_as_well(nobody: ApiUser, known: str, path: str) -> None:
    def ask(email: str) -> None:
        assert nobody.post(path, {"email": email}).status_code == 202

    of_known, of_unknown = medians(ask, known)
    assert abs(of_known / of_unknown - 1) < APART, (of_known, of_unknown)
