"""What schedules keep of payloads: of a sensitive operation sealed, for its schedule alone."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from stellwerk.jobs.operation import Operation, Payload
from stellwerk.jobs.sealing import masked, seal, unseal
from stellwerk.vault import Vault


def kept(vault: Vault, operation: Operation, schedule_id: UUID, payload: Payload) -> Payload:
    """The payload as it is stored."""
    return seal(vault, schedule_id, payload) if operation.is_sensitive else payload


def opened(vault: Vault, schedule_id: UUID, stored: Payload) -> Payload:
    """The payload as it was sent."""
    payload: Payload = unseal(vault, schedule_id, stored)
    return payload


def hidden(document: Mapping[str, Any]) -> dict[str, Any]:
    """A schedule as a list shows it."""
    return {**document, "payload": masked(document["payload"])}
