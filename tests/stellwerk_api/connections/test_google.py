"""The whole way with Google's stand-in: connect, renew, connect for more, revoke."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr
from sqlalchemy import func, select, update

from api import API, ApiUser, error_of, signed_up
from attempts import attempt
from connecting import begin, callback, knowing, opened
from emulated_google import CLIENT_ID, CLIENT_SECRET, EMAIL, OTHER_EMAIL, Google, running_google
from leaving import erased
from people import add_channel
from stellwerk.bootstrap import Platform
from stellwerk.connections import sealing
from stellwerk.connections.model import OauthConnection, OauthState
from stellwerk.connections.queries import Place
from stellwerk.connections.tokens import access_token
from stellwerk.errors import GrantRevoked
from stellwerk.jobs.model import Job
from stellwerk.settings import Settings
from stellwerk_api.app import create_app

pytestmark = pytest.mark.xdist_group("emulated")  # so that the emulator is started once


@pytest.fixture(scope="module")
def google(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Google]:
    url = callback(settings, "google")
    with running_google(tmp_path_factory.mktemp("google"), url) as google:
        yield google


@pytest.fixture
def here(platform: Platform, google: Google) -> Platform:
    secret = SecretStr(CLIENT_SECRET)
    return knowing(
        platform,
        google_base_url=google.url,
        google_client_id=CLIENT_ID,
        google_client_secret=secret,
    )


@pytest.fixture
def ann(here: Platform) -> ApiUser:
    return signed_up(create_app(here).test_client())


def connected(ann: ApiUser, google: Google, email: str = EMAIL, **body: Any) -> dict[str, Any]:
    answer = opened(ann.client, google.allow(begin(ann, "google", **body).authorization_url, email))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def of(ann: ApiUser) -> Place:
    return Place(int(ann.user["id"]), "google")


def ends_soon(here: Platform) -> None:
    with here.runtime.sessions.begin() as session:
        soon = func.now() + timedelta(seconds=60)
        session.execute(update(OauthConnection).values(expires_at=soon))
    here.live_client.redis.flushdb()


def test_an_account_is_connected_and_its_token_renewed(
    here: Platform, google: Google, ann: ApiUser
) -> None:
    connection = connected(ann, google, access=["mail"])
    assert connection["account_email"] == EMAIL
    assert connection["access"] == ["mail"]
    first = access_token(here.runtime, of(ann))
    ends_soon(here)
    second = access_token(here.runtime, of(ann))
    assert first != second
    assert google.knows(second)
    ends_soon(here)
    assert google.knows(access_token(here.runtime, of(ann)))  # the refresh token is kept


def test_access_is_added_to_what_there_is(google: Google, ann: ApiUser) -> None:
    connected(ann, google, access=["mail"])
    assert connected(ann, google, access=["calendar"])["access"] == ["mail", "calendar"]
    assert len(ann.get("/connections").get_json()["items"]) == 1


def test_a_grant_that_google_took_back_needs_a_new_connection(
    here: Platform, google: Google, ann: ApiUser
) -> None:
    connected(ann, google)
    server = here.runtime.providers.oauth["google"]
    with here.runtime.sessions() as session:
        sealed = session.scalars(select(OauthConnection.sealed)).one()
    server.revoke(sealing.opened(here.runtime.vault, sealed or b""))
    ends_soon(here)
    with pytest.raises(GrantRevoked):
        access_token(here.runtime, of(ann))
    assert ann.get("/connections/google").get_json()["status"] == "needs_reconnect"


def test_a_deleted_connection_is_revoked_at_google(
    here: Platform, google: Google, ann: ApiUser
) -> None:
    connected(ann, google)
    ann.send("DELETE", "/connections/google")
    (job,) = revocations(here)
    attempt(here.runtime, job.id)
    (job,) = revocations(here)
    assert job.result == {"revoked": True}


def test_an_erasure_is_told_google_once_nobody_else_uses_the_account(
    here: Platform, google: Google, ann: ApiUser
) -> None:
    ben = signed_up(create_app(here).test_client())
    connected(ann, google)
    connected(ben, google)
    assert (erased(here, ann).receipt or {})["erased"]["connections"]["grants_revoked"] == 0
    ends_soon(here)
    assert google.knows(access_token(here.runtime, of(ben)))
    with here.runtime.sessions() as session:
        (sealed,) = session.scalars(select(OauthConnection.sealed)).all()
    assert (erased(here, ben).receipt or {})["erased"]["connections"]["grants_revoked"] == 1
    refresh_token = sealing.opened(here.runtime.vault, sealed or b"").refresh_token
    with pytest.raises(GrantRevoked):
        here.runtime.providers.oauth["google"].renew(refresh_token or "")


def test_a_channels_connection_of_the_same_account_is_not_ended_along(
    here: Platform, google: Google, ann: ApiUser
) -> None:
    channel_id = add_channel(here, int(ann.user["id"]))
    connected(ann, google)
    url = ann.post(f"/channels/{channel_id}/connect", {}).get_json()["authorization_url"]
    assert opened(ann.client, google.allow(url)).get_json()["channel_id"] == channel_id
    ann.send("DELETE", "/connections/google")
    (job,) = revocations(here)
    attempt(here.runtime, job.id)
    (job,) = revocations(here)
    assert job.result == {"revoked": False}
    place = Place(int(ann.user["id"]), "google", channel_id)
    assert google.knows(access_token(here.runtime, place))


def test_a_deleted_channel_takes_its_connection_along(
    here: Platform, google: Google, ann: ApiUser
) -> None:
    channel_id = add_channel(here, int(ann.user["id"]))
    url = ann.post(f"/channels/{channel_id}/connect", {}).get_json()["authorization_url"]
    opened(ann.client, google.allow(url))
    assert ann.send("DELETE", f"/channels/{channel_id}").status_code == 204
    assert ann.get("/connections").get_json()["items"] == []
    assert len(revocations(here)) == 1


def test_another_account_takes_the_place_of_the_first(
    here: Platform, google: Google, ann: ApiUser
) -> None:
    connected(ann, google)
    assert connected(ann, google, OTHER_EMAIL)["account_email"] == OTHER_EMAIL
    assert len(revocations(here)) == 1


def test_a_code_with_another_verifier_is_refused(
    here: Platform, google: Google, ann: ApiUser
) -> None:
    begun, other = begin(ann, "google"), begin(ann, "google")
    code = google.allow(other.authorization_url).partition("code=")[2].partition("&")[0]
    back = google.allow(begun.authorization_url)
    stolen = back.replace(back.partition("code=")[2].partition("&")[0], code)
    assert error_of(opened(ann.client, stolen), 422)["code"] == "PROVIDER_REJECTED"
    assert error_of(ann.get("/connections/google"), 404)
    del here


def test_the_examples_of_the_document_are_accepted(here: Platform, ann: ApiUser) -> None:
    document = ann.client.get("/api/openapi.json").get_json()
    channel_id = add_channel(here, int(ann.user["id"]))
    for path in ("/connections/{provider}", "/channels/{channel_id}/connect"):
        described = document["paths"][f"{API}{path}"]["post"]
        example = described["requestBody"]["content"]["application/json"]["example"]
        place = path.format(provider="google", channel_id=channel_id)
        assert ann.post(place, example).status_code == 201


def test_a_channel_asks_google_for_youtube(here: Platform, ann: ApiUser) -> None:
    channel_id = add_channel(here, int(ann.user["id"]))
    said = ann.post(f"/channels/{channel_id}/connect", {}).get_json()
    asked = parse_qs(urlsplit(said["authorization_url"]).query)
    assert "https://www.googleapis.com/auth/youtube.upload" in asked["scope"][0].split()
    assert (asked["access_type"], asked["prompt"]) == (["offline"], ["consent"])
    with here.runtime.sessions() as session:
        assert session.scalars(select(OauthState)).one().channel_id == channel_id
    error_of(ann.send("DELETE", f"/channels/{channel_id}/connect"), 404)


def revocations(here: Platform) -> list[Job]:
    query = select(Job).where(Job.operation == "connections.revoke")
    with here.runtime.sessions() as session:
        return list(session.scalars(query))
