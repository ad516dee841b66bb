"""Maintenance: whoever is no operator changes nothing, and is told when to come back."""

from flask import request

from stellwerk.configuration.entries import (
    MAINTENANCE,
    MAINTENANCE_MESSAGE,
    MAINTENANCE_RETRY_AFTER_S,
)
from stellwerk.configuration.present import Configuration
from stellwerk.errors import ErrorCode, Unavailable
from stellwerk.identity.caller import Caller

PERMISSION = "maintenance:pass"

# The first change who is signed in and nothing else; without them no operator could come in.
# Calls under way go on: one hears how, and whoever pays for one can end it.
_EVEN_SO = frozenset(
    {
        "accounts.login",
        "accounts.refresh",
        "accounts.logout",
        "browser_sessions.begin",
        "connections.sign_in",
        "call_events.hear",
        "calls.hang_up",
    }
)


def refuse_changes(configuration: Configuration, caller: Caller | None) -> None:
    """Raise Unavailable (MAINTENANCE) for a change that has to wait; `caller`: None is nobody."""
    if not configuration[MAINTENANCE] or request.endpoint in _EVEN_SO:
        return
    if caller is None or not caller.may(PERMISSION):
        raise Unavailable(
            configuration[MAINTENANCE_MESSAGE],
            code=ErrorCode.MAINTENANCE,
            retry_after_s=configuration[MAINTENANCE_RETRY_AFTER_S],
        )
