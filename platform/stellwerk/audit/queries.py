"""Reads of the record."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from stellwerk.audit.model import AuditEntry, AuditSubjectKey
from stellwerk.audit.sealing import Holder, opened
from stellwerk.vault import Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryFilter:
    """Which entries: every condition holds, None does not matter; newest first.

    `actor` and `subject` are ids of users.
    """

    action: str | None = None
    actor: int | None = None
    subject: int | None = None
    target: str | None = None
    recorded_from: datetime | None = None
    recorded_to: datetime | None = None
    before: int | None = None
    limit: int = 50


def entries(session: Session, vault: Vault, wanted: EntryFilter) -> list[dict[str, Any]]:
    """Entries with what is readable of them.

    `erased` says that something was recorded whose key is destroyed.
    """
    rows = session.scalars(_query(wanted).limit(wanted.limit)).all()
    ids = {getattr(row, name) for row in rows for name in _NAMED}
    keys = opened(session, vault, ids - {None})
    people = _people(session, ids - {None})
    return [_shown(row, keys, people) for row in rows]


_NAMED = ("actor", "subject", "origin_key", "details_key")


def _query(wanted: EntryFilter) -> Select[AuditEntry]:
    query = select(AuditEntry).order_by(AuditEntry.sequence.desc())
    if wanted.action is not None:
        query = query.where(AuditEntry.action == wanted.action)
    if wanted.actor is not None:
        query = query.where(AuditEntry.actor == _pseudonym(wanted.actor))
    if wanted.subject is not None:
        query = query.where(AuditEntry.subject == _pseudonym(wanted.subject))
    if wanted.target is not None:
        query = query.where(AuditEntry.target == wanted.target, AuditEntry.target != "")
    if wanted.recorded_from is not None:
        query = query.where(AuditEntry.at >= wanted.recorded_from)
    if wanted.recorded_to is not None:
        query = query.where(AuditEntry.at < wanted.recorded_to)
    if wanted.before is not None:
        query = query.where(AuditEntry.sequence < wanted.before)
    return query


def _pseudonym(user_id: int) -> Any:
    found = select(AuditSubjectKey.id).where(AuditSubjectKey.user_id == user_id)
    return found.scalar_subquery()


def _people(session: Session, ids: set[UUID]) -> dict[UUID, int | None]:
    query = select(AuditSubjectKey.id, AuditSubjectKey.user_id).where(AuditSubjectKey.id.in_(ids))
    return {row.id: row.user_id for row in session.execute(query)}


def _shown(
    row: AuditEntry, keys: dict[UUID, Holder], people: dict[UUID, int | None]
) -> dict[str, Any]:
    sealed: Sequence[tuple[str, UUID | None, bytes | None]] = (
        ("origin", row.origin_key, row.origin),
        ("details", row.details_key, row.details),
    )
    readable = {
        what: keys[key].open(what, content) if key in keys and content is not None else None
        for what, key, content in sealed
    }
    gone = {row.actor, row.subject, row.origin_key, row.details_key} - {None} - set(keys)
    return {
        "sequence": row.sequence,
        "at": row.at,
        "action": row.action,
        "actor_kind": row.actor_kind,
        "actor": row.actor,
        "actor_user_id": people.get(row.actor) if row.actor else None,
        "subject": row.subject,
        "subject_user_id": people.get(row.subject) if row.subject else None,
        "target": row.target,
        "erased": bool(gone),
        "hash": row.hash,
        **readable,
    }
