"""What the platform needs of an authorization server, whoever's it is."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Grant:
    """What a provider hands out; `expires_in_s` None: it did not say.

    A renewal may come without a refresh token: the former one goes on to be good.
    """

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_in_s: float | None
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Account:
    """Whose grant it is, as the provider says; `id` is never given to somebody else there."""

    id: str
    email: str | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request for authorization; `verifier` is PKCE's secret (RFC 7636)."""

    state: str = field(repr=False)
    verifier: str = field(repr=False)
    redirect_url: str
    scopes: tuple[str, ...]


class AuthorizationServer(Protocol):
    """One provider. Its calls raise ProviderUnavailable and ProviderRejected."""

    @property
    def name(self) -> str:
        """As people know it."""

    @property
    def issuer(self) -> str:
        """Who answers by RFC 9207; for a provider with many installations also which one."""

    @property
    def access(self) -> Mapping[str, tuple[str, ...]]:
        """What can be asked for, by our names, as the scopes that it takes."""

    @property
    def basic_scopes(self) -> tuple[str, ...]:
        """Asked for in any case: whose account it is."""

    @property
    def revokes_whole_account(self) -> bool:
        """Whether revoking one token ends every grant that its account gave us."""

    def authorization_url(self, asked: Asked) -> str:
        """Where the user says yes or no."""

    def exchange(self, code: str, *, verifier: str, redirect_url: str) -> Grant:
        """The grant for a code, which is good for once."""

    def renew(self, refresh_token: str) -> Grant:
        """A new access token; raises GrantRevoked where the grant is over for good."""

    def revoke(self, grant: Grant) -> None:
        """End a grant; one that is over already is no error."""

    def account(self, access_token: str) -> Account:
        """Whose access token it is."""


def scopes_for(server: AuthorizationServer, access: Collection[str]) -> tuple[str, ...]:
    """The scopes to ask for; `access` holds names that the server has."""
    asked = [scope for name in sorted(access) for scope in server.access[name]]
    return tuple(dict.fromkeys((*server.basic_scopes, *asked)))


def access_of(server: AuthorizationServer, granted: Collection[str]) -> list[str]:
    """By our names, what all scopes were granted of."""
    return [name for name, scopes in server.access.items() if set(scopes) <= set(granted)]
