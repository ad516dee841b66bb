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


@pytest.mark.parametrize("path", ["/operations", "/operations/diagnostics.echo", "/version"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_has_not_changed_is_not_sent_again(ada: ApiUser, path: str, method: str) -> None:
    tag = ada.get(path).headers["ETag"]
    for asked in (tag, f'"other", W/{tag}', "*"):
        answer = ada.send(method, path, headers={"If-None-Match": asked})
        assert (answer.status_code, answer.data) == (304, b"")
        assert answer.headers["ETag"] == tag
        assert answer.headers["Cache-Control"] == "private, max-age=300"
        assert "Content-Type" not in answer.headers
    assert ada.send(method, path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_the_catalogues_tag_is_that_of_who_asks(ada: ApiUser, admin: ApiUser) -> None:
    tag = ada.get("/operations").headers["ETag"]
    assert admin.get("/operations", headers={"If-None-Match": tag}).status_code == 200


def test_the_document_is_sent_again_only_where_it_differs(nobody: ApiUser) -> None:
    first = nobody.client.get("/api/openapi.json")
    assert first.headers["Cache-Control"] == "no-cache"
    headers = {"If-None-Match": first.headers["ETag"]}
    assert nobody.client.get("/api/openapi.json", headers=headers).status_code == 304


@pytest.mark.parametrize("path", ["/channels/", "/users/me", "/jobs"])
def test_everything_else_may_not(ada: ApiUser, path: str) -> None:
    assert ada.get(path).headers["Cache-Control"] == "no-store"


def test_a_refusal_may_not(ada: ApiUser, nobody: ApiUser) -> None:
    for answer, status in ((nobody.get("/operations"), 401), (ada.get("/operations/x"), 404)):
        error_of(answer, status)
        assert answer.headers["Cache-Control"] == "no-store"
