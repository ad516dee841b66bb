"""Answers for the realtime process: whose right it is to listen, and what was missed."""

from collections.abc import Mapping
from typing import Any

from stellwerk.clock import rfc3339
from stellwerk.identity import standing
from stellwerk.jobs.comparison import newer
from stellwerk.jobs.ports import Change
from stellwerk_api.auth import caller
from stellwerk_api.context import platform


def own_standing() -> dict[str, Any]:
    """The caller's, as `StandingSchema` has it."""
    with platform().runtime.sessions() as session:
        expires_at = standing.expires_at(session, caller())
    return {
        "user_id": caller().user_id,
        "credential": standing.credential(caller()),
        "expires_at": rfc3339(expires_at),
    }


def compared(told: Mapping[str, Any]) -> dict[str, Any]:
    """What differs from `told` (`ComparisonBody`), as `ComparisonSchema` has it."""
    runtime = platform().runtime
    with runtime.sessions() as session:
        changed = newer(session, runtime.registry, told["jobs"]) if told["jobs"] else []
        ended = standing.ended_of(session, told["credentials"])
    return {"newer": [_shown(change) for change in changed], "ended": sorted(ended)}


def _shown(change: Change) -> dict[str, Any]:
    return {
        "owner_id": change.owner_id,
        "version": change.version,
        "is_final": change.is_final,
        "document": change.document,
    }
