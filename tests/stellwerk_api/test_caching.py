"""Which answers their client may keep."""

import pytest

from api import ApiUser, error_of


@pytest.mark.parametrize("path", ["/operations", "/operations/diagnostics.echo", "/version"])
def test_what_rarely_changes_may_be_kept_by_its_client_for_five_minutes(
    ada: ApiUser, path: str
) -> None:
    answer = ada.get(path)
    assert answer.headers["Cache-Control"] == "private, max-age=300"
    assert answer.headers["Vary"] == "Authorization, Cookie, X-API-Key"


@pytest.mark.parametrize("path", ["/channels/", "/users/me", "/jobs"])
def test_everything_else_may_not(ada: ApiUser, path: str) -> None:
    assert ada.get(path).headers["Cache-Control"] == "no-store"


def test_a_refusal_may_not(ada: ApiUser, nobody: ApiUser) -> None:
    for answer, status in ((nobody.get("/operations"), 401), (ada.get("/operations/x"), 404)):
        error_of(answer, status)
        assert answer.headers["Cache-Control"] == "no-store"
