"""What the record holds of a person."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from stellwerk.audit.model import AuditEntry, AuditSubjectKey
from stellwerk.audit.queries import EntryFilter, entries
from stellwerk.db.engine import vault_of

KEPT: Mapping[str, str] = MappingProxyType(
    {"entries": "Acts have to be accounted for; their key is destroyed, so they name nobody."}
)
EXPORTED_MAX = 100_000  # entries


def export(session: Session, user_id: int) -> dict[str, Any]:
    """What is on record about them, newest first: as they are its subject, not where others are."""
    wanted = EntryFilter(subject=user_id, limit=EXPORTED_MAX)
    shown = ("at", "action", "actor_kind", "target", "details")
    found = entries(session, vault_of(session), wanted)
    return {
        "entries": [
            {
                **{name: entry[name] for name in shown},
                "origin": entry["origin"] if entry["actor_user_id"] == user_id else None,
            }
            for entry in found
        ]
    }


def erase(session: Session, user_id: int) -> dict[str, int]:
    """Destroy their key: the entries stay, the chain holds, and nobody can tell whose they are."""
    own = AuditSubjectKey.user_id == user_id
    pseudonym = select(AuditSubjectKey.id).where(own).scalar_subquery()
    theirs = or_(AuditEntry.subject == pseudonym, AuditEntry.actor == pseudonym)
    number = session.scalar(select(func.count()).select_from(AuditEntry).where(theirs)) or 0
    destroyed = session.scalars(delete(AuditSubjectKey).where(own).returning(AuditSubjectKey.id))
    return {"keys": len(destroyed.all()), "entries": number}
