"""The chain: what an entry's hash covers, where the chain ends, and how it grows.

Whoever appends holds the head from there to the end of their transaction, so this comes last in
it: between the lock and COMMIT lies one statement that waits for nobody. A process that is frozen
in between is cut off by Postgres.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from stellwerk.audit.actions import Action, Party
from stellwerk.vault import Vault

GENESIS = "0" * 64  # the `previous_hash` of the first entry
COVERED = (
    "sequence",
    "at",
    "action",
    "actor_kind",
    "actor",
    "subject",
    "target",
    "origin_key",
    "origin",
    "details_key",
    "details",
    "previous_hash",
)

_TYPES = {
    "sequence": "bigint",
    "at": "timestamptz",
    "action": "text",
    "actor_kind": "text",
    "actor": "uuid",
    "subject": "uuid",
    "target": "text",
    "origin_key": "uuid",
    "origin": "bytea",
    "details_key": "uuid",
    "details": "bytea",
    "previous_hash": "text",
    "hash": "text",
}
_VERSION = b"stellwerk audit entry 1\n"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TAKE = text("""
    SET LOCAL idle_in_transaction_session_timeout = '3s';
    SELECT sequence, hash, mark, clock_timestamp() AS at FROM audit_head WHERE id = 1 FOR UPDATE
""")
_BEGIN = text("""
    INSERT INTO audit_head (id, sequence, hash, mark) VALUES (1, 0, :hash, :mark)
    ON CONFLICT (id) DO NOTHING
""")
# One statement, and of constant text: the fewer round trips the head is held for, the better.
_APPEND = text(f"""
    WITH moved AS (
        UPDATE audit_head SET sequence = :head, hash = :head_hash, mark = :mark WHERE id = 1
    )
    INSERT INTO audit_entries ({", ".join(_TYPES)})
    SELECT * FROM unnest({", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in _TYPES.items())})
""")  # noqa: S608  of names from above
_MOVE = text("UPDATE audit_head SET sequence = :sequence, hash = :hash, mark = :mark WHERE id = 1")


@dataclass(frozen=True, slots=True)
class Head:
    """Where the chain ends, as the table says."""

    sequence: int
    hash: str
    mark: str

    def is_signed(self, vault: Vault) -> bool:
        """Whether this platform wrote it, with one of its keys."""
        return self.signer(vault) is not None

    def signer(self, vault: Vault) -> str | None:
        """The id of the key that marked it; None where it is none of these."""
        marks = dict(zip(vault.marks(_signed(self.sequence, self.hash)), vault.keys, strict=True))
        return marks.get(self.mark)

    def __str__(self) -> str:
        return f"{self.sequence}:{self.hash}"


def append(session: Session, vault: Vault, entries: Sequence[Mapping[str, Any]]) -> None:
    """Add entries (every column but those of the chain); nothing may follow but COMMIT."""
    head, at = _take(session, vault)
    if not head.is_signed(vault):
        entries = [_distrusted(head), *entries]
    sequence, previous = head.sequence, head.hash
    rows = []
    for entry in entries:
        sequence += 1
        row = {**entry, "sequence": sequence, "at": at, "previous_hash": previous}
        previous = row["hash"] = hash_of(row)
        rows.append(row)
    moved = {"head": sequence, "head_hash": previous, "mark": _mark(vault, sequence, previous)}
    session.execute(_APPEND, {name: [row[name] for row in rows] for name in _TYPES} | moved)


def hash_of(row: Mapping[str, Any]) -> str:
    """SHA-256, in hex, of an entry's columns, each as a netstring."""
    return sha256(_VERSION + b"".join(_netstring(row[name]) for name in COVERED)).hexdigest()


def sign(session: Session, vault: Vault) -> bool:
    """Mark the head with the present key, where an older one marked it; whether one had."""
    head, _ = _take(session, vault)
    marks = vault.marks(_signed(head.sequence, head.hash))
    if head.mark not in marks[1:]:
        return False
    session.execute(_MOVE, {"sequence": head.sequence, "hash": head.hash, "mark": marks[0]})
    return True


def _take(session: Session, vault: Vault) -> tuple[Head, datetime]:
    found = session.execute(_TAKE).one_or_none()
    if found is None:
        session.execute(_BEGIN, {"hash": GENESIS, "mark": _mark(vault, 0, GENESIS)})
        found = session.execute(_TAKE).one()
    return Head(found.sequence, found.hash, found.mark), found.at


def _mark(vault: Vault, sequence: int, entry_hash: str) -> str:
    return vault.marks(_signed(sequence, entry_hash))[0]


def _signed(sequence: int, entry_hash: str) -> bytes:
    return f"stellwerk audit head 1\n{sequence}:{entry_hash}".encode()


def _distrusted(head: Head) -> dict[str, Any]:
    """Says for good that somebody else moved the head: signing it again must not hide that."""
    return {
        "action": Action.AUDIT_DISTRUSTED.value,
        "actor_kind": Party.SYSTEM.value,
        "actor": None,
        "subject": None,
        "target": f"head:{head}",
        "origin_key": None,
        "origin": None,
        "details_key": None,
        "details": None,
    }


def _netstring(value: Any) -> bytes:
    if value is None:
        return b"-,"
    data = _bytes(value)
    return b"%d:%s," % (len(data), data)


def _bytes(value: int | str | bytes | datetime | UUID | memoryview) -> bytes:
    if isinstance(value, datetime):
        value = (value - _EPOCH) // _MICROSECOND
    if isinstance(value, bytes | memoryview):
        return bytes(value)
    return str(value).encode()
