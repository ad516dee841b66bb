"""A browser that a cookie signs in begins without a ticket, and ends nobody else's request."""

import re
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from api import API, PASSWORD, ApiUser, error_of
from connecting import begin, opened
from nextcloud import Nextcloud
from stellwerk.bootstrap import Platform
from stellwerk.connections.model import OauthState
from stellwerk.identity.model import UserSession

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
START = f"{API}/auth/nextcloud"


def console(app: Flask, user: ApiUser) -> FlaskClient:
    """A browser of theirs that a cookie signs in."""
    client = app.test_client()
    sign_in(client, user)
    return client


def sign_in(client: FlaskClient, user: ApiUser) -> None:
    body = {"email": user.user["email"], "password": PASSWORD}
    assert client.post(f"{API}/auth/session", json=body).status_code == 201


@pytest.fixture
def anns(app: Flask, ann: ApiUser) -> FlaskClient:
    return console(app, ann)


def end_sessions(platform: Platform) -> None:
    with platform.runtime.sessions.begin() as session:
        session.execute(update(UserSession).values(ended_at=func.now()))
    platform.live_client.redis.flushdb()


def test_a_signed_in_browser_goes_to_the_provider_and_back(
    cloud: Nextcloud, ann: ApiUser, anns: FlaskClient
) -> None:
    page = anns.get(START, headers=HTML)
    assert page.status_code == 200, page.text
    assert f"<strong>{ann.user['username']}</strong>" in page.text
    (url,) = re.findall(r'href="([^"]+)"', page.text)
    assert opened(anns, cloud.allow(unescape(url))).status_code == 200
    assert ann.get("/connections/nextcloud").get_json()["status"] == "active"


def test_it_asks_for_what_the_query_says(anns: FlaskClient) -> None:
    refused = anns.get(f"{START}?access=teapots")
    assert error_of(refused, 422)["details"]["field"] == "access"
    refused = anns.get(f"{START}?return_url=https://evil.example/")
    assert error_of(refused, 422)["code"] == "RETURN_URL_NOT_ALLOWED"
    error_of(anns.get(f"{START}?ticket=x&access=mail"), 422)


def test_nobody_and_no_key_begins_so(app: Flask, here: Platform, ann: ApiUser) -> None:
    error_of(app.test_client().get(START), 401)
    error_of(app.test_client().get(START, headers=dict(ann.with_key().credentials)), 403)
    anns = console(app, ann)
    end_sessions(here)
    error_of(anns.get(START), 401)


def test_another_users_browser_ends_no_request_and_uses_no_ticket_up(
    app: Flask, here: Platform, cloud: Nextcloud, ann: ApiUser, ben: ApiUser
) -> None:
    begun, anns, bens = begin(ann), console(app, ann), console(app, ben)
    refused = opened(bens, begun.start_url)
    assert error_of(refused, 403)["code"] == "OAUTH_OTHER_USER"
    page = opened(anns, begun.start_url, **HTML)
    (url,) = re.findall(r'href="([^"]+)"', page.text)
    back = cloud.allow(unescape(url))
    sign_in(anns, ben)  # in the same browser
    assert error_of(opened(anns, back), 403)["code"] == "OAUTH_OTHER_USER"
    with here.runtime.sessions() as session:
        assert session.scalar(select(func.count()).select_from(OauthState)) == 0
    error_of(ann.get("/connections/nextcloud"), 404)


def test_a_session_that_has_ended_does_not_keep_an_answer_from_its_owner(
    app: Flask, here: Platform, cloud: Nextcloud, ann: ApiUser
) -> None:
    anns = console(app, ann)
    page = anns.get(START, headers=HTML)
    (url,) = re.findall(r'href="([^"]+)"', page.text)
    end_sessions(here)
    assert opened(anns, cloud.allow(unescape(url))).status_code == 200
