"""The authorization server that every Nextcloud is (its app `oauth2`).

See https://docs.nextcloud.com/server/latest/admin_manual/configuration_server/oauth2.html. It knows
no scopes. Every renewal rotates both tokens; a refresh token that it does not know, or not any
more, is an `invalid_request` there.
"""

from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType

from stellwerk.errors import GrantRevoked, ProviderUnavailable
from stellwerk.providers.oauth.client import CodeFlow, Endpoints, Registration
from stellwerk.providers.oauth.protocol import Account, Asked, Grant

_OCS = MappingProxyType({"OCS-APIRequest": "true"})


class Nextcloud:
    """Accounts of one Nextcloud."""

    name = "Nextcloud"
    basic_scopes: tuple[str, ...] = ()
    access: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    revokes_whole_account = False

    def __init__(self, registration: Registration, url: str) -> None:
        self.issuer = url.rstrip("/")
        endpoints = Endpoints(
            authorization=f"{self.issuer}/index.php/apps/oauth2/authorize",
            token=f"{self.issuer}/index.php/apps/oauth2/api/v1/token",
            account=f"{self.issuer}/ocs/v2.php/cloud/user?format=json",
            revocation=f"{self.issuer}/ocs/v2.php/core/apppassword?format=json",
        )
        self._flow = CodeFlow(
            registration, endpoints, dead=frozenset({"invalid_grant", "invalid_request"})
        )

    def authorization_url(self, asked: Asked) -> str:
        """Where the user says yes or no."""
        return self._flow.authorization_url(asked)

    def exchange(self, code: str, *, verifier: str, redirect_url: str) -> Grant:
        """The grant for a code."""
        return self._flow.exchange(code, verifier=verifier, redirect_url=redirect_url)

    def renew(self, refresh_token: str) -> Grant:
        """A new access token and a new refresh token."""
        return self._flow.renew(refresh_token)

    def revoke(self, grant: Grant) -> None:
        """There is no RFC 7009: the access token is an app password, which may delete itself.

        One that has ended may not; the grant goes on without it, so that it takes a fresh one.
        """
        if self._delete(grant.access_token) or grant.refresh_token is None:
            return
        with suppress(GrantRevoked):
            self._delete(self.renew(grant.refresh_token).access_token)

    def _delete(self, access_token: str) -> bool:
        return self._flow.delete(self._flow.endpoints.revocation, access_token, _OCS)

    def account(self, access_token: str) -> Account:
        """By the provisioning API. Nobody verified the address, so it is no proof of anything."""
        said = self._flow.get(self._flow.endpoints.account, access_token, _OCS)
        try:
            data = said["ocs"]["data"]
            name = data.get("display-name") or data.get("displayname") or ""
            return Account(str(data["id"]), data.get("email") or None, str(name))
        except (KeyError, TypeError, AttributeError) as exc:
            raise ProviderUnavailable("Nextcloud did not say whose account it is.") from exc
