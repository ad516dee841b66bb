"""Whoever sent a request, as far as the platform is concerned."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from uuid import UUID

from stellwerk.errors import NotPermitted
from stellwerk.identity.permissions import (
    AUDIENCE_OF,
    NOT_FOR_API_KEYS,
    Audience,
    Role,
    permissions_for,
    permissions_of,
)

REMEMBERED = 10_000  # callers, who ask more than once

READ = "read"
WRITE = "write"


@dataclass(frozen=True, slots=True)
class Caller:
    """A signed-in person or one of their keys.

    `scopes` narrow a key: `read`, `write`, and patterns of operation names; empty: everything
    its permissions allow. `token_ends_at`: when a session's access token ends, in seconds since
    1970.
    """

    user_id: int
    role: str
    permissions: frozenset[str]
    session_id: UUID | None = None
    key_id: UUID | None = None
    scopes: tuple[str, ...] = ()
    token_ends_at: float | None = None
    tier: str = "free"

    def may(self, permission: str) -> bool:
        """Whether the permission is held."""
        return permission in self.permissions

    def require(self, permission: str) -> None:
        """Raise NotPermitted, naming the permission that is missing, or its audience."""
        if self.may(permission):
            return
        message, details = f"This needs the permission {permission}.", {"permission": permission}
        audience = AUDIENCE_OF.get(permission)
        if audience and self.session_id and permission in permissions_of(Role(self.role)):
            message = f"This needs a token for {audience}: sign in with that `audience`."
            details["audience"] = audience.value
        raise NotPermitted(message, details=details)

    def require_scope(self, *, changes: bool, submits: bool = False) -> None:
        """Raise NotPermitted where the key was not made for such a request.

        A request that `changes` something needs `write`; one that `submits` a job may instead
        be covered by a pattern, which `require_operation` then compares.
        """
        if not self.scopes or (submits and self._patterns()):
            return
        wanted = WRITE if changes else READ
        if wanted not in self.scopes:
            raise NotPermitted(f"The API key has no scope {wanted!r}.", details={"scope": wanted})

    def require_operation(self, name: str, permission: str) -> None:
        """Raise NotPermitted unless the operation may be submitted by this caller."""
        self.require(permission)
        patterns = self._patterns()
        if patterns and not any(fnmatchcase(name, pattern) for pattern in patterns):
            raise NotPermitted(f"The API key is not made for {name}.", details={"scope": name})

    def _patterns(self) -> tuple[str, ...]:
        return tuple(scope for scope in self.scopes if scope not in {READ, WRITE})


def signed_in(
    user_id: int,
    role: str,
    session_id: UUID,
    *,
    audience: Audience = Audience.API,
    ends_at: float | None = None,
    tier: str = "free",
) -> Caller:
    """The caller of a session, by an access token for that audience which ends then."""
    return _signed_in(user_id, role, session_id, audience, ends_at, tier)


def by_key(
    user_id: int, role: str, key_id: UUID, scopes: tuple[str, ...], *, tier: str = "free"
) -> Caller:
    """The caller of an API key: what its owner may do, less what no key may."""
    allowed = permissions_of(Role(role)) - NOT_FOR_API_KEYS
    return Caller(user_id, role, allowed, key_id=key_id, scopes=scopes, tier=tier)


@lru_cache(REMEMBERED)
def _signed_in(
    user_id: int,
    role: str,
    session_id: UUID,
    audience: Audience,
    ends_at: float | None,
    tier: str,
) -> Caller:
    allowed = permissions_for(Role(role), audience)
    return Caller(user_id, role, allowed, session_id=session_id, token_ends_at=ends_at, tier=tier)


def scraper() -> Caller:
    """Prometheus with the scrape token: it may read the metrics and nothing else."""
    return Caller(0, "scraper", frozenset({"metrics:read"}))


def realtime() -> Caller:
    """The realtime process with its token: it may compare what it told with the ledger."""
    return Caller(0, "realtime", frozenset({"listeners:compare", "maintenance:pass"}))
