"""Answers that are none of ours, too late, another's or a refusal: each has its own error."""

from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from api import API, ApiUser, error_of
from connecting import begin, opened
from nextcloud import Nextcloud
from stellwerk.bootstrap import Platform
from stellwerk.connections.model import OauthState
from stellwerk.identity.model import User

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def states(platform: Platform) -> int:
    with platform.runtime.sessions() as session:
        return session.scalar(select(func.count()).select_from(OauthState)) or 0


def test_an_answer_counts_once(here: Platform, cloud: Nextcloud, ann: ApiUser) -> None:
    back = cloud.allow(begin(ann).authorization_url)
    assert opened(ann.client, back).status_code == 200
    assert states(here) == 0
    assert error_of(opened(ann.client, back), 400)["code"] == "OAUTH_STATE_UNKNOWN"


def test_a_state_that_nobody_made_is_refused(ann: ApiUser) -> None:
    for query in ("", "?state=&code=x", "?state=made-up&code=x"):
        error = error_of(ann.get(f"/auth/nextcloud/callback{query}"), 400)
        assert error["code"] == "OAUTH_STATE_UNKNOWN"


def test_a_state_is_good_at_its_own_provider_only(
    here: Platform, cloud: Nextcloud, ann: ApiUser
) -> None:
    back = cloud.allow(begin(ann).authorization_url)
    with here.runtime.sessions.begin() as session:
        session.execute(update(OauthState).values(provider="google"))
    assert error_of(opened(ann.client, back), 400)["code"] == "OAUTH_STATE_UNKNOWN"


def test_after_ten_minutes_it_is_too_late(here: Platform, cloud: Nextcloud, ann: ApiUser) -> None:
    begun = begin(ann)
    back = cloud.allow(begun.authorization_url)
    with here.runtime.sessions.begin() as session:
        session.execute(update(OauthState).values(expires_at=func.now()))
    page = opened(ann.client, begun.start_url)
    assert error_of(page, 400)["code"] == "OAUTH_STATE_UNKNOWN"
    assert error_of(opened(ann.client, back), 400)["code"] == "OAUTH_STATE_EXPIRED"
    assert states(here) == 0


def test_another_browser_is_refused_and_ends_the_request(
    here: Platform, app: Flask, cloud: Nextcloud, ann: ApiUser, ben: ApiUser
) -> None:
    without = cloud.allow(begin(ann).authorization_url)
    error = error_of(opened(app.test_client(), without), 403)
    assert error["code"] == "OAUTH_OTHER_BROWSER"
    begin(ben)  # so that this browser has a cookie of its own
    assert error_of(opened(ben.client, cloud.allow(begin(ann).authorization_url)), 403)
    assert states(here) == 1
    assert error_of(ann.get("/connections/nextcloud"), 404)
    assert error_of(ben.get("/connections/nextcloud"), 404)


def test_a_wrong_cookie_is_refused(cloud: Nextcloud, ann: ApiUser) -> None:
    answer = ann.post("/connections/nextcloud", {})
    name = answer.headers["Set-Cookie"].partition("=")[0]
    ann.client.set_cookie(name, "made-up", path="/")
    back = cloud.allow(answer.get_json()["authorization_url"])
    assert error_of(opened(ann.client, back), 403)["code"] == "OAUTH_OTHER_BROWSER"


def test_another_user_in_the_same_browser_is_refused(
    cloud: Nextcloud, ann: ApiUser, ben: ApiUser
) -> None:
    back = cloud.allow(begin(ann).authorization_url)
    answer = opened(ann.client, back, **dict(ben.credentials))
    assert error_of(answer, 403)["code"] == "OAUTH_OTHER_USER"


def test_an_answer_of_another_server_is_refused(cloud: Nextcloud, ann: ApiUser) -> None:
    cloud.says_issuer = "https://evil.example"
    back = cloud.allow(begin(ann).authorization_url)
    assert error_of(opened(ann.client, back), 400)["code"] == "OAUTH_OTHER_ISSUER"
    cloud.says_issuer = cloud.url
    back = cloud.allow(begin(ann).authorization_url)
    assert opened(ann.client, back).status_code == 200


def test_a_no_is_told_as_one(cloud: Nextcloud, ann: ApiUser) -> None:
    error = error_of(opened(ann.client, cloud.deny(begin(ann).authorization_url)), 403)
    assert error["code"] == "OAUTH_DENIED"
    page = opened(ann.client, cloud.deny(begin(ann).authorization_url), **HTML)
    assert (page.status_code, "OAUTH_DENIED" in page.text) == (403, True)


@pytest.mark.parametrize("accept", ["application/json", HTML["Accept"]])
def test_nothing_of_an_error_is_shown_again(ann: ApiUser, accept: str) -> None:
    planted = "<script>alert(1)</script>"
    state = parse_qs(urlsplit(begin(ann).authorization_url).query)["state"][0]
    query = {"state": state, "error": planted, "error_description": planted, "code": planted}
    answer = ann.client.get(
        f"{API}/auth/nextcloud/callback", query_string=query, headers={"Accept": accept}
    )
    assert answer.status_code == 422
    assert "script" not in answer.text
    assert "alert" not in answer.text
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_a_code_that_the_provider_does_not_know_is_refused(cloud: Nextcloud, ann: ApiUser) -> None:
    back = cloud.allow(begin(ann).authorization_url)
    cloud.codes.clear()
    assert error_of(opened(ann.client, back), 422)["code"] == "PROVIDER_REJECTED"
    error_of(ann.get("/connections/nextcloud"), 404)


def test_a_provider_that_fails_is_503_and_nothing_is_connected(
    cloud: Nextcloud, ann: ApiUser
) -> None:
    back = cloud.allow(begin(ann).authorization_url)
    cloud.fails_with = 502
    assert error_of(opened(ann.client, back), 503)["code"] == "PROVIDER_UNAVAILABLE"
    error_of(ann.get("/connections/nextcloud"), 404)


def test_a_user_who_was_disabled_meanwhile_connects_nothing(
    here: Platform, cloud: Nextcloud, ann: ApiUser
) -> None:
    back = cloud.allow(begin(ann).authorization_url)
    with here.runtime.sessions.begin() as session:
        session.execute(update(User).values(is_active=False))
    error_of(opened(ann.client, back), 403)
    assert cloud.tokens == []
