"""No answer takes longer for an address that has an account, or less long.

What is compared is this thread's processor time: it holds the hash, which is most of it, and knows
nothing of how busy the machine is. Known and unknown addresses take turns, so that what changes
meanwhile changes both.
"""

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import pytest

from api import PASSWORD, ApiUser, account

TRIES = 200
APART = 0.05


def medians(ask: Callable[[str], Any], known: str) -> tuple[float, float]:
    """Of 200 tries each, in seconds."""
    took: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(10):
        ask(known)  # what is made once is made now
        ask(account()["email"])
    for _ in range(TRIES):
        for is_known, email in ((True, known), (False, account()["email"])):
            began = time.thread_time()
            ask(email)
            took[is_known].append(time.thread_time() - began)
    return median(took[True]), median(took[False])


@pytest.mark.parametrize(
    ("path", "status", "fields"),
    [
        ("/auth/login", 401, {"password": "not theirs"}),
        ("/auth/register", 202, {"password": PASSWORD}),
    ],
)
def test_with_a_password_known_and_unknown_addresses_take_as_long(
    nobody: ApiUser, ada: ApiUser, path: str, status: int, fields: dict[str, str]
) -> None:
    def ask(email: str) -> None:
        assert nobody.post(path, {"email": email, **fields}).status_code == status

    known, unknown = medians(ask, str(ada.user["email"]))
    assert abs(known / unknown - 1) < APART, (known, unknown)


@pytest.mark.parametrize("path", ["/auth/password-reset", "/auth/verify-email"])
def test_without_one_they_do_as_well(nobody: ApiUser, ada: ApiUser, path: str) -> None:
    def ask(email: str) -> None:
        assert nobody.post(path, {"email": email}).status_code == 202

    known, unknown = medians(ask, str(ada.user["email"]))
    assert abs(known / unknown - 1) < APART, (known, unknown)
