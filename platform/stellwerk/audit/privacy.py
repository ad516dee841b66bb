"""What the record holds of a person."""

from typing import Any

from sqlalchemy import delete
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from stellwerk.audit.model import AuditSubjectKey
from stellwerk.audit.queries import EntryFilter, entries
from stellwerk.db.engine import vault_of

EXPORTED_MAX = 100_000  # entries


def export(session: Session, user_id: int) -> dict[str, Any]:
    """What is on record about them, newest first: as they are its subject, not where others are."""
    wanted = EntryFilter(subject=user_id, limit=EXPORTED_MAX)
    shown = ("at", "action", "actor_kind", "target", "details")
    found = entries(session, vault_of(session), wanted)
    return {
        "audit_entries": [
            {
                **{name: entry[name] for name in shown},
                "origin": entry["origin"] if entry["actor_user_id"] == user_id else None,
            }
            for entry in found
        ]
    }


def erase(session: Session, user_id: int) -> dict[str, int]:
    """Destroy their key: the entries stay, the chain holds, and nobody can tell whose they are."""
    mine = delete(AuditSubjectKey).where(AuditSubjectKey.user_id == user_id)
    result = session.execute(mine)
    return {"audit_keys": result.rowcount if isinstance(result, CursorResult) else 0}
