"""Google's authorization server: https://developers.google.com/identity/protocols/oauth2/web-server."""

from collections.abc import Mapping
from types import MappingProxyType

from stellwerk.errors import ProviderUnavailable
from stellwerk.providers.oauth.client import CodeFlow, Endpoints, Registration
from stellwerk.providers.oauth.protocol import Account, Asked, Grant

ISSUER = "https://accounts.google.com"
_OF_GOOGLE = Endpoints(
    authorization=f"{ISSUER}/o/oauth2/v2/auth",
    token="https://oauth2.googleapis.com/token",  # noqa: S106  a URL
    account="https://openidconnect.googleapis.com/v1/userinfo",
    revocation="https://oauth2.googleapis.com/revoke",
)
_APIS = "https://www.googleapis.com/auth"


class Google:
    """Google accounts. One of its refresh tokens is good until it is revoked: none is rotated."""

    name = "Google"
    basic_scopes = ("openid", "email", "profile")
    access: Mapping[str, tuple[str, ...]] = MappingProxyType(
        {
            "mail": (f"{_APIS}/gmail.modify",),
            "calendar": (f"{_APIS}/calendar",),
            "contacts": (f"{_APIS}/contacts",),
            "tasks": (f"{_APIS}/tasks",),
            "sheets": (f"{_APIS}/spreadsheets",),
            "youtube": (f"{_APIS}/youtube.upload", f"{_APIS}/youtube.readonly"),
        }
    )
    revokes_whole_account = True

    def __init__(self, registration: Registration, base_url: str = "") -> None:
        self._flow = CodeFlow(registration, _below(base_url) if base_url else _OF_GOOGLE)
        self.issuer = base_url or ISSUER

    def authorization_url(self, asked: Asked) -> str:
        """Asks for consent each time: only then a refresh token comes along."""
        return self._flow.authorization_url(asked, access_type="offline", prompt="consent")

    def exchange(self, code: str, *, verifier: str, redirect_url: str) -> Grant:
        """The grant for a code."""
        return self._flow.exchange(code, verifier=verifier, redirect_url=redirect_url)

    def renew(self, refresh_token: str) -> Grant:
        """A new access token."""
        return self._flow.renew(refresh_token)

    def revoke(self, grant: Grant) -> None:
        """With either token all that the account granted us ends."""
        self._flow.revoke(grant.refresh_token or grant.access_token)

    def account(self, access_token: str) -> Account:
        """By OpenID Connect Core, 5.3; an address that Google did not verify is left out."""
        said = self._flow.get(self._flow.endpoints.account, access_token, {})
        if not said.get("sub"):
            raise ProviderUnavailable("Google did not say whose account it is.")
        email = said.get("email") if said.get("email_verified") else None
        return Account(str(said["sub"]), email, str(said.get("name") or ""))


def _below(base_url: str) -> Endpoints:
    return Endpoints(
        authorization=f"{base_url}/o/oauth2/v2/auth",
        token=f"{base_url}/oauth2/token",
        account=f"{base_url}/oauth2/v2/userinfo",
        revocation=f"{base_url}/oauth2/revoke",
    )
