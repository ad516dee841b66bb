"""Keys of those who are on record, and what is sealed with them: AES-256-GCM (NIST SP 800-38D)."""

import secrets
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from stellwerk.audit.model import AuditSubjectKey
from stellwerk.clock import utc_now
from stellwerk.vault import Vault

INSTALLATION = "installation"  # whose key is never destroyed, as nobody's erasure asks for it
STRANGERS = "strangers"  # whose keys are a month's, and are destroyed some time after it

_KEY_BYTES = 32
_NONCE_BYTES = 12
# Somebody who has been erased gets no new key.
_MAKE_FOR_USER = text("""
    INSERT INTO audit_subject_keys (id, user_id, sealed)
    SELECT :id, u.id, :sealed FROM users u WHERE u.id = :user_id
    ON CONFLICT (user_id) DO NOTHING
""")
_MAKE_FOR_NAME = text("""
    INSERT INTO audit_subject_keys (id, name, sealed) VALUES (:id, :name, :sealed)
    ON CONFLICT (name) WHERE name IS NOT NULL DO NOTHING
""")


@dataclass(frozen=True, slots=True)
class Holder:
    """A pseudonym and its key."""

    id: UUID
    key: bytes

    def seal(self, what: str, content: Mapping[str, Any]) -> bytes:
        """The content as only this key opens it, and only as what it is."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        clear = orjson.dumps(content, default=str, option=orjson.OPT_NON_STR_KEYS)
        return nonce + AESGCM(self.key).encrypt(nonce, clear, what.encode())

    def open(self, what: str, sealed: bytes) -> dict[str, Any] | None:
        """What was sealed; None where it was changed since."""
        nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            content = orjson.loads(AESGCM(self.key).decrypt(nonce, rest, what.encode()))
        except (InvalidTag, ValueError):
            return None
        return content if isinstance(content, dict) else None


def strangers(moment: datetime | None = None) -> str:
    """The holder of what is known of those who are not signed in, in that month (UTC), or this."""
    return f"{STRANGERS} {moment or utc_now():%Y-%m}"


def holders(session: Session, vault: Vault, who: Iterable[int | str]) -> dict[int | str, Holder]:
    """The keys of users (by id) and of others (by name), made where they have none yet.

    Users that do not exist any more are left out. Everybody asks in the same order, so that two
    who make the same keys do not wait for each other.
    """
    found = {}
    for one in sorted(set(who), key=str):
        holder = _found(session, vault, one) or _made(session, vault, one)
        if holder:
            found[one] = holder
    return found


def opened(session: Session, vault: Vault, ids: Iterable[UUID]) -> dict[UUID, Holder]:
    """Those of the keys that still stand."""
    query = select(AuditSubjectKey).where(AuditSubjectKey.id.in_(set(ids)))
    return {row.id: _holder(vault, row) for row in session.scalars(query)}


def forget_strangers(session: Session, days: int) -> int:
    """Destroy keys of strangers whose month ended so many days ago; how many."""
    bound = strangers(utc_now() - timedelta(days=days))
    of_strangers = AuditSubjectKey.name.startswith(f"{STRANGERS} ", autoescape=True)
    old = delete(AuditSubjectKey).where(of_strangers, AuditSubjectKey.name < bound)
    return len(session.scalars(old.returning(AuditSubjectKey.id)).all())


def _found(session: Session, vault: Vault, who: int | str) -> Holder | None:
    column = AuditSubjectKey.user_id if isinstance(who, int) else AuditSubjectKey.name
    row = session.scalar(select(AuditSubjectKey).where(column == who))
    return _holder(vault, row) if row else None


def _made(session: Session, vault: Vault, who: int | str) -> Holder | None:
    ensure(session, vault, who)
    return _found(session, vault, who)


def ensure(session: Session, vault: Vault, who: int | str) -> None:
    """Make somebody's key unless there is one, by one statement in either case."""
    sealed = vault.seal(b64encode(secrets.token_bytes(_KEY_BYTES)).decode())
    values = {"id": uuid4(), "sealed": sealed}
    if isinstance(who, int):
        session.execute(_MAKE_FOR_USER, {**values, "user_id": who})
    else:
        session.execute(_MAKE_FOR_NAME, {**values, "name": who})


def _holder(vault: Vault, row: AuditSubjectKey) -> Holder:
    return Holder(row.id, b64decode(vault.open(row.sealed)))
