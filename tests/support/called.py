"""Calls for tests, put straight into the ledger, and people who may place some."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from api import ApiUser, signed_in
from stellwerk.bootstrap import Platform
from stellwerk.calls.model import Call, CallEvent
from stellwerk.calls.states import ENDED
from stellwerk.clock import new_id

TO = "+493012341005"
BEGAN = datetime(2026, 3, 1, 12, tzinfo=UTC)


def telephonist(user: ApiUser) -> ApiUser:
    """The same person with tokens that may place calls."""
    return signed_in(user.client, str(user.user["email"]), audience="telephony")


def add_call(
    platform: Platform, user_id: int | None, *, state: str = "queued", to: str = TO, **fields: Any
) -> UUID:
    """A call in that state, whose times follow from it; returns its id."""
    hashes = platform.runtime.vault.lookups
    values = {
        "id": new_id(),
        "user_id": user_id,
        "provider": "freeswitch",
        "to_number": to,
        "to_hash": hashes(to)[0],
        "ring_timeout_s": 60,
        "max_duration_s": 3600,
        "created_at": BEGAN,
        **_times(state),
        **fields,
    }
    if values.get("first_number"):
        values["first_hash"] = hashes(values["first_number"])[0]
        values["has_first"] = True
    with platform.runtime.sessions.begin() as session:
        session.add(Call(state=state, **values))
    return UUID(str(values["id"]))


def add_events(platform: Platform, call_id: UUID, kinds: Sequence[str], cause: str) -> None:
    """What happened in it, a second apart; the last has that cause."""
    with platform.runtime.sessions.begin() as session:
        for number, kind in enumerate(kinds):
            session.add(
                CallEvent(
                    call_id=call_id,
                    key=f"{kind}:{number}",
                    leg="to",
                    kind=kind,
                    cause=cause if number == len(kinds) - 1 else None,
                    at=BEGAN + timedelta(seconds=number),
                )
            )


def _times(state: str) -> dict[str, datetime]:
    """When it was dialled, rang, was answered and ended, as far as it came."""
    found = {}
    if state != "queued":
        found["intended_at"] = BEGAN
    if state in {"ringing", "answered", "completed", "no_answer"}:
        found["ringing_at"] = BEGAN + timedelta(seconds=1)
    if state in {"answered", "completed"}:
        found["answered_at"] = BEGAN + timedelta(seconds=3)
    if state in ENDED:
        found["ended_at"] = BEGAN + timedelta(seconds=33)
    return found
