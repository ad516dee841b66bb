"""Platforms that know a provider, and browsers on their way there and back."""

import secrets
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from flask.testing import FlaskClient
from pydantic import SecretStr
from werkzeug.test import TestResponse

from api import API, ApiUser
from nextcloud import AUTHORIZE, CLIENT_ID, CLIENT_SECRET, Nextcloud
from stellwerk.bootstrap import Platform
from stellwerk.connections.model import OauthConnection
from stellwerk.connections.queries import Place
from stellwerk.connections.service import Granted, keep
from stellwerk.identity import password_marks
from stellwerk.identity.model import User
from stellwerk.jobs.runtime import Runtime, unit
from stellwerk.providers.choice import choose_providers
from stellwerk.providers.oauth.protocol import Account, Grant
from stellwerk.settings import Settings

APP_URL = "https://phone.example.com/signed-in"


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
        known = password_marks.mark(runtime.vault, work.session.get_one(User, user_id))
        return keep(runtime, work, Place(user_id, "nextcloud"), granted, known)


@dataclass(slots=True)
class App:
    """An app on somebody's phone: it asks Nextcloud for a code and brings it to us."""

    nobody: ApiUser
    cloud: Nextcloud
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    redirect_url: str = APP_URL

    def code(self) -> str:
        """A code for whoever is signed in at the cloud."""
        asked = {
            "response_type": "code",
            "client_id": CLIENT_ID,
            "redirect_uri": self.redirect_url,
            "state": "the app's own",
            "code_challenge": create_s256_code_challenge(self.verifier),
            "code_challenge_method": "S256",
        }
        back = self.cloud.allow(f"{self.cloud.url}{AUTHORIZE}?{urlencode(asked)}")
        return parse_qs(urlsplit(back).query)["code"][0]

    def body(self, **fields: Any) -> dict[str, Any]:
        """What the app sends."""
        given = {"code_verifier": self.verifier, "redirect_url": self.redirect_url}
        return {"code": self.code(), **given, **fields}

    def sign_in(self, **fields: Any) -> TestResponse:
        """The answer to it."""
        return self.nobody.post("/auth/nextcloud", self.body(**fields))
