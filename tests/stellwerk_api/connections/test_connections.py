"""From a wish to a connection and back, through a real authorization server."""

from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select, text

from api import API, ApiUser, error_of
from attempts import attempt
from connecting import begin, connected, knowing, opened
from nextcloud import Nextcloud, NextcloudUser
from stellwerk.audit.model import AuditEntry
from stellwerk.bootstrap import Platform
from stellwerk.connections.model import OauthConnection, OauthRevocation
from stellwerk.jobs import control
from stellwerk.jobs.model import Job
from stellwerk_workers.reports import Came

RETURN_URL = "https://console.example.com/connected"
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def test_an_account_is_connected_shown_and_forgotten(
    here: Platform, cloud: Nextcloud, ann: ApiUser
) -> None:
    connection = connected(ann, cloud)
    assert (connection["provider"], connection["status"]) == ("nextcloud", "active")
    assert (connection["account_id"], connection["account_email"]) == ("ada", "ada@cloud.example")
    assert ann.get("/connections").get_json()["items"] == [connection]
    assert ann.get("/connections/nextcloud").get_json() == connection
    assert "token" not in str(connection)

    assert ann.send("DELETE", "/connections/nextcloud").status_code == 204
    error_of(ann.get("/connections/nextcloud"), 404)
    error_of(ann.send("DELETE", "/connections/nextcloud"), 404)
    assert len(cloud.tokens) == 1
    assert attempt(here.runtime, revocations(here)[0]) is Came.COMPLETED
    assert cloud.tokens == []
    with here.runtime.sessions() as session:
        assert session.scalars(select(OauthRevocation)).all() == []


def test_what_is_stored_tells_nobody_a_token(
    here: Platform, cloud: Nextcloud, ann: ApiUser
) -> None:
    connected(ann, cloud)
    ann.send("DELETE", "/connections/nextcloud")
    connected(ann, cloud)
    secrets = [secret for one in cloud.tokens for secret in (one.access_token, one.refresh_token)]
    with here.runtime.sessions() as session:
        rows = [
            str(row)
            for table in ("oauth_connections", "oauth_revocations", "oauth_states", "jobs")
            for row in session.execute(text(f"SELECT t::text FROM {table} t"))  # noqa: S608  constants
        ]
    assert rows
    for secret in secrets:
        assert not any(secret in row or secret.encode().hex() in row for row in rows)


def test_while_the_provider_is_away_its_tokens_are_kept_to_be_revoked(
    here: Platform, cloud: Nextcloud, ann: ApiUser
) -> None:
    connected(ann, cloud)
    ann.send("DELETE", "/connections/nextcloud")
    (job_id,) = revocations(here)
    cut_off = knowing(here, nextcloud_url="http://localhost:1")
    assert attempt(cut_off.runtime, job_id) is Came.AGAIN
    with here.runtime.sessions() as session:
        assert len(session.scalars(select(OauthRevocation)).all()) == 1
    error_of(ann.get(f"/jobs/{job_id}"), 404)  # the system's: nobody else takes it back
    control.cancel(here.runtime, job_id)
    with here.runtime.sessions() as session:
        assert session.scalars(select(OauthRevocation)).all() == []


def test_the_url_asks_with_pkce_and_for_our_callback_alone(
    here: Platform, cloud: Nextcloud, ann: ApiUser
) -> None:
    asked = parse_qs(urlsplit(begin(ann).authorization_url).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert len(asked["code_challenge"][0]) == 43
    assert asked["redirect_uri"] == [f"{here.settings.base_url()}{API}/auth/nextcloud/callback"]
    assert begin(ann).authorization_url.startswith(cloud.url)


def test_the_cookie_is_of_this_host_alone(ann: ApiUser) -> None:
    answer = ann.post("/connections/nextcloud", {})
    name, *flags = answer.headers["Set-Cookie"].split("; ")
    assert name.startswith("__Host-stellwerk-oauth-")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax", "Max-Age=600"} <= set(flags)
    assert not any(flag.startswith("Domain") for flag in flags)


def test_another_browser_goes_on_with_a_ticket_which_is_good_once(
    app: Flask, cloud: Nextcloud, ann: ApiUser
) -> None:
    begun = begin(ann)
    other = app.test_client()
    page = opened(other, begun.start_url, **HTML)
    assert page.content_type == "text/html; charset=utf-8"
    assert f"<strong>{ann.user['username']}</strong>" in page.text
    link = page.text.partition('href="')[2].partition('"')[0].replace("&amp;", "&")
    error = error_of(opened(other, begun.start_url), 400)
    assert error["code"] == "OAUTH_STATE_UNKNOWN"
    former = opened(ann.client, cloud.allow(begun.authorization_url))
    assert error_of(former, 400)["code"] == "OAUTH_STATE_UNKNOWN"
    done = opened(other, cloud.allow(link), **HTML)
    assert (done.status_code, "Nextcloud is connected" in done.text) == (200, True)
    assert ann.get("/connections/nextcloud").status_code == 200


def test_a_browser_is_sent_on_to_a_url_that_the_operator_lists(
    cloud: Nextcloud, ann: ApiUser
) -> None:
    begun = begin(ann, return_url=RETURN_URL)
    answer = opened(ann.client, cloud.allow(begun.authorization_url))
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"{RETURN_URL}?connected=nextcloud"


@pytest.mark.parametrize(
    "url",
    [
        f"{RETURN_URL}/../elsewhere",
        f"{RETURN_URL}.evil.example",
        f"{RETURN_URL}?x=1",
        f"{RETURN_URL}/",
        RETURN_URL.upper(),
        "https://console.example.com",
        "//evil.example",
        "javascript:alert(1)",
    ],
)
def test_no_other_url_is_one_to_be_sent_on_to(ann: ApiUser, url: str) -> None:
    error = error_of(ann.post("/connections/nextcloud", {"return_url": url}), 422)
    assert error["code"] == "RETURN_URL_NOT_ALLOWED"
    assert error["details"]["field"] == "return_url"


def test_connecting_again_replaces_the_account_and_revokes_the_one_before(
    here: Platform, cloud: Nextcloud, ann: ApiUser
) -> None:
    first = connected(ann, cloud)
    cloud.who = NextcloudUser("lovelace")
    second = connected(ann, cloud)
    assert (first["id"], second["account_id"]) == (second["id"], "lovelace")
    assert len(cloud.tokens) == 2
    (job_id,) = revocations(here)
    attempt(here.runtime, job_id)
    assert [token.user.id for token in cloud.tokens] == ["lovelace"]
    with here.runtime.sessions() as session:
        assert session.scalars(select(OauthConnection)).one().generation == 2


def test_an_account_that_signs_in_belongs_to_one_user(
    cloud: Nextcloud, ann: ApiUser, ben: ApiUser
) -> None:
    connected(ann, cloud)
    back = cloud.allow(begin(ben).authorization_url)
    error = error_of(opened(ben.client, back), 409)
    assert error["code"] == "ACCOUNT_TAKEN"
    assert len(cloud.tokens) == 1  # what was not kept was given back


def test_a_provider_that_is_not_set_up_is_404(ann: ApiUser) -> None:
    error_of(ann.post("/connections/yahoo", {}), 404)
    error_of(ann.get("/auth/yahoo?ticket=x"), 404)
    error_of(ann.get("/auth/yahoo/callback?state=x"), 404)


def test_an_access_that_the_provider_does_not_have_is_refused(ann: ApiUser) -> None:
    answer = ann.post("/connections/nextcloud", {"access": ["telepathy"]})
    assert error_of(answer, 422)["details"]["field"] == "access"


def test_a_key_connects_nothing(ann: ApiUser) -> None:
    key = ann.with_key()
    error_of(key.post("/connections/nextcloud", {}), 403)
    assert key.get("/connections").status_code == 200


def test_all_that_happens_to_a_connection_is_on_record(
    here: Platform, app: Flask, cloud: Nextcloud, ann: ApiUser
) -> None:
    back = cloud.allow(begin(ann).authorization_url)
    assert opened(app.test_client(), back).status_code == 403
    connected(ann, cloud)
    ann.send("DELETE", "/connections/nextcloud")
    with here.runtime.sessions() as session:
        query = select(AuditEntry.action).where(AuditEntry.target == "connection:nextcloud")
        noted = session.scalars(query.order_by(AuditEntry.sequence)).all()
    assert noted == [
        "connection.requested",
        "connection.refused",
        "connection.requested",
        "connection.opened",
        "connection.removed",
    ]


def revocations(platform: Platform) -> list[UUID]:
    query = select(Job.id).where(Job.operation == "connections.revoke").order_by(Job.id)
    with platform.runtime.sessions() as session:
        return list(session.scalars(query))
