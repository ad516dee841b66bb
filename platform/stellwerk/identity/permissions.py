"""Roles and what each may do: the one table of permissions.

Operations and routes name one of these; a name that stands here for no role fails at start-up.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Role(StrEnum):
    """What kind of account it is; each holds everything the one before it does."""

    USER = "user"
    OPERATOR = "operator"
    ADMIN = "admin"


class Audience(StrEnum):
    """What a session is for; the tokens of the second last shorter and carry more."""

    API = "api"
    TELEPHONY = "telephony"


# Every permission and the lowest role that holds it.
PERMISSIONS: Mapping[str, Role] = MappingProxyType(
    {
        "account:read": Role.USER,
        "account:write": Role.USER,
        "api_keys:manage": Role.USER,
        "privacy:manage": Role.USER,
        "operations:read": Role.USER,
        "jobs:submit": Role.USER,
        "jobs:read": Role.USER,
        "jobs:manage": Role.USER,
        "webhooks:read": Role.USER,
        "webhooks:manage": Role.USER,
        "schedules:read": Role.USER,
        "schedules:write": Role.USER,
        "connections:read": Role.USER,
        "connections:manage": Role.USER,
        "connections:tend": Role.OPERATOR,
        "channels:read": Role.USER,
        "channels:write": Role.USER,
        "videos:read": Role.USER,
        "videos:write": Role.USER,
        "videos:generate": Role.USER,
        "calls:originate": Role.USER,
        "calls:read": Role.USER,
        "calls:record": Role.OPERATOR,  # and to listen to what was recorded
        "modules:read": Role.USER,  # what is there, and how it is
        "modules:manage": Role.OPERATOR,
        "jobs:read_all": Role.OPERATOR,
        "jobs:manage_all": Role.OPERATOR,
        "config:read": Role.OPERATOR,
        "maintenance:pass": Role.OPERATOR,
        "config:write": Role.ADMIN,
        "queues:read": Role.OPERATOR,
        "queues:manage": Role.OPERATOR,
        "housekeeping:run": Role.OPERATOR,
        "webhooks:deliver": Role.OPERATOR,
        "diagnostics:run": Role.OPERATOR,
        "metrics:read": Role.OPERATOR,
        "mail:send": Role.OPERATOR,  # to anybody, in the platform's name
        "users:admin": Role.ADMIN,
        "calls:metrics": Role.ADMIN,
        "audit:read": Role.ADMIN,
        "privacy:erase": Role.ADMIN,
        "listeners:compare": Role.ADMIN,  # and the realtime process
    }
)

# A key that leaked must not be able to make more keys, or to change who its owner is.
NOT_FOR_API_KEYS = frozenset(
    {
        "account:write",
        "api_keys:manage",
        "connections:manage",  # a connected account may be one that signs in
        "privacy:manage",
        "privacy:erase",
        "users:admin",
        "config:write",
        "listeners:compare",
    }
)

# What a session holds only where it is for this audience; API keys hold it by their scopes.
AUDIENCE_OF: Mapping[str, Audience] = MappingProxyType({"calls:originate": Audience.TELEPHONY})

_RANK = tuple(Role)


def permissions_of(role: Role) -> frozenset[str]:
    """Everything a role may do."""
    return _BY_ROLE[role]


def permissions_for(role: Role, audience: Audience) -> frozenset[str]:
    """What of that a session for this audience may do."""
    return _BY_AUDIENCE[role, audience]


_BY_ROLE = {
    role: frozenset(
        name for name, lowest in PERMISSIONS.items() if _RANK.index(lowest) <= _RANK.index(role)
    )
    for role in Role
}
_BY_AUDIENCE = {
    (role, audience): frozenset(
        name for name in held if AUDIENCE_OF.get(name, audience) is audience
    )
    for role, held in _BY_ROLE.items()
    for audience in Audience
}
