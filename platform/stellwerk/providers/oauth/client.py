"""The client's side of OAuth 2.0 (RFC 6749, 7009, 7636), by Authlib over requests."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session

from stellwerk.errors import GrantRevoked, ProviderError, ProviderRejected, ProviderUnavailable
from stellwerk.providers.oauth.protocol import Asked, Grant
from stellwerk.providers.vendor_errors import LATER, SERVER_ERRORS_FROM, provider_error

LATER_BY_NAME = frozenset({"temporarily_unavailable", "server_error", "slow_down"})
KNOWN = frozenset(  # RFC 6749, 5.2: other words of a provider are not repeated
    {
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
        *LATER_BY_NAME,
    }
)


@dataclass(frozen=True, slots=True)
class Registration:
    """What the provider knows this installation by."""

    vendor: str
    client_id: str
    client_secret: str = field(repr=False)
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The URLs of one authorization server; `account` says whose token it is."""

    authorization: str
    token: str
    account: str
    revocation: str


class CodeFlow:
    """The calls that are the same for every provider; any number of threads may make them.

    `dead`: the errors of a renewal which say that the grant is over.
    """

    def __init__(
        self,
        registration: Registration,
        endpoints: Endpoints,
        *,
        dead: Collection[str] = frozenset({"invalid_grant"}),
    ) -> None:
        self.endpoints = endpoints
        self._registration = registration
        self._dead = dead

    def authorization_url(self, asked: Asked, **extra: str) -> str:
        """With a challenge by S256; `extra` parameters are the provider's own."""
        with self._session(scope=" ".join(asked.scopes) or None) as session:
            url, _ = session.create_authorization_url(
                self.endpoints.authorization,
                state=asked.state,
                code_verifier=asked.verifier,
                redirect_uri=asked.redirect_url,
                **extra,
            )
        return str(url)

    def exchange(self, code: str, *, verifier: str, redirect_url: str) -> Grant:
        """The grant for a code."""
        with self._session() as session, self._explained():
            token = session.fetch_token(
                self.endpoints.token,
                grant_type="authorization_code",
                code=code,
                code_verifier=verifier,
                redirect_uri=redirect_url,
                allow_redirects=False,
            )
            return _grant(token)

    def renew(self, refresh_token: str) -> Grant:
        """A new access token, and a new refresh token where the provider rotates them."""
        with self._session() as session, self._explained(dead=self._dead):
            token = session.refresh_token(
                self.endpoints.token, refresh_token=refresh_token, allow_redirects=False
            )
            return _grant(token)

    def revoke(self, token: str) -> None:
        """Revoke by RFC 7009; a token that the provider does not know any more is no error."""
        with self._session() as session, self._explained():
            answer = session.revoke_token(
                self.endpoints.revocation, token=token, allow_redirects=False
            )
            if answer.status_code != requests.codes.bad_request:  # Google's way to say so
                self.require_success(answer)

    def get(self, url: str, access_token: str, headers: Mapping[str, str]) -> dict[str, Any]:
        """A JSON object of the provider's API, as the token's owner."""
        with self._session() as session, self._explained():
            answer = session.get(
                url, headers={**_bearer(access_token), **headers}, withhold_token=True,
                allow_redirects=False,
            )  # fmt: skip
            self.require_success(answer)
            return _object(answer.json())

    def delete(self, url: str, access_token: str, headers: Mapping[str, str]) -> bool:
        """Delete something there, what is gone already too; False where the token is over."""
        with self._session() as session, self._explained():
            answer = session.delete(
                url, headers={**_bearer(access_token), **headers}, withhold_token=True,
                allow_redirects=False,
            )  # fmt: skip
            if answer.status_code not in {401, 403, 404}:
                self.require_success(answer)
            return bool(answer.status_code != requests.codes.unauthorized)

    def require_success(self, answer: requests.Response) -> None:
        """Raise what an answer other than 2xx means."""
        if not answer.ok or answer.is_redirect:
            raise self._failure(answer)

    def _failure(self, answer: requests.Response) -> ProviderError:
        vendor, headers = self._registration.vendor, answer.headers
        return provider_error(vendor, answer.status_code, message="no success", headers=headers)

    def _session(self, **wanted: Any) -> OAuth2Session:
        registration = self._registration
        session = OAuth2Session(
            client_id=registration.client_id,
            client_secret=registration.client_secret,
            token_endpoint_auth_method="client_secret_post",  # noqa: S106  a way, not a secret
            revocation_endpoint_auth_method="client_secret_post",
            code_challenge_method="S256",
            default_timeout=registration.timeout_s,
            trust_env=False,  # no ~/.netrc in place of the client's own credentials
            **wanted,
        )
        for answered in ("access_token_response", "refresh_token_response"):
            session.register_compliance_hook(answered, self._readable)
        return session

    def _readable(self, answer: requests.Response) -> requests.Response:
        """Only 200 and the errors of RFC 6749 are read; anything else may be another server's."""
        if answer.status_code in LATER or answer.status_code >= SERVER_ERRORS_FROM:
            raise self._failure(answer)
        return answer

    @contextmanager
    def _explained(self, dead: Collection[str] = ()) -> Iterator[None]:
        vendor = self._registration.vendor
        try:
            yield
        except OAuthError as exc:
            raise _refusal(vendor, exc.error, dead) from exc
        except (requests.RequestException, ValueError, KeyError, TypeError) as exc:
            message = f"{vendor} did not answer as it should."
            raise ProviderUnavailable(message) from exc


def _refusal(vendor: str, error: object, dead: Collection[str]) -> ProviderError:
    if error in dead:
        return GrantRevoked(f"{vendor} says that the connection was withdrawn.")
    reason = error if error in KNOWN else "an error of its own"
    message = f"{vendor} refused: {reason}."
    return ProviderUnavailable(message) if error in LATER_BY_NAME else ProviderRejected(message)


def _grant(token: Mapping[str, Any]) -> Grant:
    """Raises ValueError or KeyError for what is no answer of a token endpoint."""
    access, refresh, lasts = token["access_token"], token.get("refresh_token"), "expires_in"
    if not isinstance(access, str) or not access or not isinstance(refresh, str | None):
        raise ValueError("no token")
    expires_in_s = float(token[lasts]) if token.get(lasts) is not None else None
    return Grant(access, refresh, expires_in_s, tuple(str(token.get("scope") or "").split()))


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("no object")  # noqa: TRY004  as JSON that cannot be read
    return value


def _bearer(access_token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {access_token}", "Accept": "application/json"}
