"""A Nextcloud's authorization server for tests: Authlib's own, behind Nextcloud's URLs and words.

It rotates both tokens at each renewal and tells of a refresh token that it does not know by
`invalid_request`, as Nextcloud's `OauthApiController` does.
"""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from secrets import compare_digest, token_urlsafe
from threading import Thread
from typing import Any

import requests
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import AuthorizationCodeMixin, ClientMixin, TokenMixin, grants
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc9207 import IssuerParameter
from flask import Flask, Response, jsonify, request
from werkzeug.serving import make_server

CLIENT_ID = "stellwerk-at-nextcloud"
CLIENT_SECRET = "secret-of-the-client"  # noqa: S105  of a server in the test
AUTHORIZE = "/index.php/apps/oauth2/authorize"
TOKEN = "/index.php/apps/oauth2/api/v1/token"  # noqa: S105  a path
USER = "/ocs/v2.php/cloud/user"
APP_PASSWORD = "/ocs/v2.php/core/apppassword"  # noqa: S105  a path


@dataclass(slots=True)
class NextcloudUser:
    """Somebody who has an account there; the address is what they typed in."""

    id: str
    email: str | None = None
    name: str = ""

    def get_user_id(self) -> str:
        """As Authlib asks for it."""
        return self.id


class _Client(ClientMixin):  # type: ignore[misc]  # Authlib ships no types
    def __init__(self, redirect_urls: list[str], secret: str) -> None:
        self.client_id = CLIENT_ID
        self._redirect_urls = redirect_urls
        self._secret = secret

    def get_client_id(self) -> str:
        return CLIENT_ID

    def get_default_redirect_uri(self) -> str:
        return self._redirect_urls[0]

    def get_allowed_scope(self, scope: str | None) -> str:
        return scope or ""

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in self._redirect_urls

    def check_client_secret(self, client_secret: str) -> bool:
        return compare_digest(client_secret, self._secret)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return (method, endpoint) == ("client_secret_post", "token")

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in {"authorization_code", "refresh_token"}


@dataclass
class _Code(AuthorizationCodeMixin):  # type: ignore[misc]  # the same
    code: str
    user: NextcloudUser
    redirect_uri: str
    code_challenge: str
    code_challenge_method: str

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return ""


@dataclass
class _Token(TokenMixin):  # type: ignore[misc]  # the same
    user: NextcloudUser
    access_token: str
    refresh_token: str

    def check_client(self, client: ClientMixin) -> bool:
        return bool(client.get_client_id() == CLIENT_ID)

    def get_scope(self) -> str:
        return ""

    def is_revoked(self) -> bool:
        return False


@dataclass
class Nextcloud:
    """The server. What tests set: `who` is signed in in its browsers, and how it behaves."""

    url: str = ""
    client_secret: str = CLIENT_SECRET
    redirect_urls: list[str] = field(default_factory=list)
    who: NextcloudUser = field(default_factory=lambda: NextcloudUser("ada", "ada@cloud.example"))
    consents: bool = False  # without being asked: its user clicks yes at once
    says_issuer: str | None = None
    lifetime_s: int = 3600
    fails_with: int | None = None  # a status, for the token endpoint
    takes_s: float = 0.0  # for a renewal
    calls: Counter[str] = field(default_factory=Counter)
    codes: dict[str, _Code] = field(default_factory=dict)
    tokens: list[_Token] = field(default_factory=list)

    def allow(self, url: str) -> str:
        """Where the browser is sent after its user said yes."""
        return self._decided(f"{url}&consent=yes")

    def deny(self, url: str) -> str:
        """The same after a no."""
        return self._decided(url)

    def held(self) -> list[tuple[str, str]]:
        """The access and refresh tokens that it knows."""
        return [(token.access_token, token.refresh_token) for token in self.tokens]

    def issue(self, user_id: str) -> tuple[str, str]:
        """An access and a refresh token, past all browsers."""
        made = _Token(NextcloudUser(user_id), token_urlsafe(), token_urlsafe())
        self.tokens.append(made)
        return made.access_token, made.refresh_token

    def renewals(self) -> int:
        """How often the token endpoint was asked."""
        return self.calls[f"POST {TOKEN}"]

    def withdraw(self) -> None:
        """The user removes the connection there."""
        self.tokens.clear()

    def knows(self, access_token: str) -> bool:
        """Whether an access token is good."""
        return any(token.access_token == access_token for token in self.tokens)

    def _decided(self, url: str) -> str:
        answer = requests.get(url, allow_redirects=False, timeout=60)
        assert answer.status_code == 302, answer.text
        return answer.headers["Location"]


@contextmanager
def running_nextcloud(*redirect_urls: str, secret: str = CLIENT_SECRET) -> Iterator[Nextcloud]:
    """A server on a free port of loopback, until the block ends; `secret` is its client's."""
    cloud = Nextcloud(client_secret=secret, redirect_urls=[*redirect_urls])
    server = make_server("localhost", 0, _app(cloud), threaded=True)
    cloud.url = f"http://localhost:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield cloud
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Routes:
    """What the server answers, at Nextcloud's paths."""

    def __init__(self, cloud: Nextcloud, server: "_Server") -> None:
        self._cloud = cloud
        self._server = server

    def before(self) -> Response | None:
        """Count, and fail where the test says so."""
        self._cloud.calls[f"{request.method} {request.path}"] += 1
        if self._cloud.fails_with and request.path == TOKEN:
            return Response("<h1>Maintenance</h1>", self._cloud.fails_with)
        return None

    def authorize(self) -> Any:
        """Consent of whoever is signed in."""
        who = self._cloud.who
        grant = self._server.get_consent_grant(end_user=who)
        user = who if self._cloud.consents or request.args.get("consent") else None
        return self._server.create_authorization_response(grant_user=user, grant=grant)

    def token(self) -> Any:
        """Codes and refresh tokens for tokens."""
        if request.form.get("grant_type") == "refresh_token":
            time.sleep(self._cloud.takes_s)
        answer = self._server.create_token_response()
        if answer.status_code == 400 and answer.get_json(force=True)["error"] == "invalid_grant":
            return jsonify({"error": "invalid_request"}), 400
        return answer

    def user(self) -> Any:
        """Whose token it is."""
        found = self._bearer()
        if found is None or request.headers.get("OCS-APIRequest") != "true":
            return _ocs(997, []), 401
        who = found.user
        return _ocs(200, {"id": who.id, "email": who.email, "display-name": who.name})

    def remove(self) -> Any:
        """The end of a token."""
        found = self._bearer()
        if found is None:
            return _ocs(997, []), 401
        self._cloud.tokens.remove(found)
        return _ocs(200, [])

    def _bearer(self) -> _Token | None:
        shown = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return next((one for one in self._cloud.tokens if one.access_token == shown), None)


class _Server(AuthorizationServer):  # type: ignore[misc]  # Authlib ships no types
    def __init__(self, app: Flask, cloud: Nextcloud) -> None:
        self.cloud = cloud
        client = _Client(cloud.redirect_urls, cloud.client_secret)
        super().__init__(app, query_client=lambda _: client, save_token=self._keep)
        self.register_grant(_CodeGrant, [CodeChallenge(required=True)])
        self.register_grant(_Renewal)
        self.register_extension(_Issuer(cloud))

    def _keep(self, token: dict[str, Any], request: Any) -> None:
        token["expires_in"] = self.cloud.lifetime_s
        token["user_id"] = request.user.id
        kept = _Token(request.user, token["access_token"], token["refresh_token"])
        self.cloud.tokens.append(kept)


class _CodeGrant(grants.AuthorizationCodeGrant):  # type: ignore[misc]  # the same
    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_post",)

    def save_authorization_code(self, code: str, request: Any) -> None:
        sent = request.payload.data
        challenge = sent.get("code_challenge", ""), sent.get("code_challenge_method", "")
        redirect_uri = request.payload.redirect_uri
        self.server.cloud.codes[code] = _Code(code, request.user, redirect_uri, *challenge)

    def query_authorization_code(self, code: str, client: ClientMixin) -> Any:
        del client
        return self.server.cloud.codes.get(code)

    def delete_authorization_code(self, authorization_code: _Code) -> None:
        del self.server.cloud.codes[authorization_code.code]

    def authenticate_user(self, authorization_code: _Code) -> NextcloudUser:
        return authorization_code.user


class _Renewal(grants.RefreshTokenGrant):  # type: ignore[misc]  # the same
    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_post",)
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> Any:
        tokens = self.server.cloud.tokens
        return next((token for token in tokens if token.refresh_token == refresh_token), None)

    def authenticate_user(self, refresh_token: _Token) -> NextcloudUser:
        return refresh_token.user

    def revoke_old_credential(self, refresh_token: _Token) -> None:
        self.server.cloud.tokens.remove(refresh_token)


class _Issuer(IssuerParameter):  # type: ignore[misc]  # the same
    def __init__(self, cloud: Nextcloud) -> None:
        self._cloud = cloud

    def get_issuer(self) -> str | None:
        return self._cloud.says_issuer


def _app(cloud: Nextcloud) -> Flask:
    app = Flask("nextcloud")
    app.config["OAUTH2_REFRESH_TOKEN_GENERATOR"] = True
    routes = _Routes(cloud, _Server(app, cloud))
    app.before_request(routes.before)
    app.get(AUTHORIZE)(routes.authorize)
    app.post(TOKEN)(routes.token)
    app.get(USER)(routes.user)
    app.delete(APP_PASSWORD)(routes.remove)
    return app


def _ocs(status: int, data: Any) -> Response:
    return jsonify({"ocs": {"meta": {"statuscode": status}, "data": data}})
