"""Platforms that know a provider, and browsers on their way there and back."""

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from flask.testing import FlaskClient
from pydantic import SecretStr
from werkzeug.test import TestResponse

from api import API, ApiUser
from nextcloud import CLIENT_ID, CLIENT_SECRET, Nextcloud
from stellwerk.bootstrap import Platform
from stellwerk.connections.model import OauthConnection
from stellwerk.connections.queries import Place
from stellwerk.connections.service import Granted, keep
from stellwerk.jobs.runtime import Runtime, unit
from stellwerk.providers.choice import choose_providers
from stellwerk.providers.oauth.protocol import Account, Grant
from stellwerk.settings import Settings


def callback(settings: Settings, provider: str) -> str:
    """Where that provider sends browsers back to."""
    return f"{settings.base_url()}{API}/auth/{provider}/callback"


def knowing(platform: Platform, **fields: Any) -> Platform:
    """The platform with other settings, and the providers that they choose."""
    settings = platform.settings.model_copy(update=fields)
    runtime = replace(platform.runtime, settings=settings, providers=choose_providers(settings))
    return replace(platform, settings=settings, runtime=runtime)


def knowing_nextcloud(platform: Platform, cloud: Nextcloud, **fields: Any) -> Platform:
    """The platform with a running Nextcloud."""
    return knowing(
        platform,
        nextcloud_url=cloud.url,
        nextcloud_client_id=CLIENT_ID,
        nextcloud_client_secret=SecretStr(CLIENT_SECRET),
        **fields,
    )


@dataclass(frozen=True, slots=True)
class Begun:
    """What a user was told to open."""

    authorization_url: str
    start_url: str


def begin(user: ApiUser, provider: str = "nextcloud", **body: Any) -> Begun:
    """Ask for a connection; the cookie stays in the user's client."""
    answer = user.post(f"/connections/{provider}", body)
    assert answer.status_code == 201, answer.text
    said = answer.get_json()
    return Begun(said["authorization_url"], said["start_url"])


def opened(client: FlaskClient, url: str, **headers: str) -> TestResponse:
    """A page of ours in a browser, as it stands in a redirect or a link."""
    parts = urlsplit(url)
    return client.get(f"{parts.path}?{parts.query}", headers=headers)


def connected(user: ApiUser, cloud: Nextcloud) -> dict[str, Any]:
    """Go all the way; returns the connection."""
    answer = opened(user.client, cloud.allow(begin(user).authorization_url))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def connect(runtime: Runtime, cloud: Nextcloud, user_id: int) -> OauthConnection:
    """A connection with tokens that the cloud knows, without any browser."""
    access, refresh = cloud.issue(f"user-{user_id}")
    grant = Grant(access, refresh, float(cloud.lifetime_s), ())
    granted = Granted(grant, Account(f"user-{user_id}"))
    with unit(runtime) as work:
        return keep(runtime, work, Place(user_id, "nextcloud"), granted)
