"""Whether the chain is whole: which entries were changed, removed, moved, or cut off."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import RowMapping, select
from sqlalchemy.orm import Session

from stellwerk.audit.actions import Action
from stellwerk.audit.chain import COVERED, GENESIS, Head, hash_of
from stellwerk.audit.model import AuditEntry, AuditHead
from stellwerk.vault import Vault

AT_A_TIME = 1000  # entries fetched
_COLUMNS = [getattr(AuditEntry, name) for name in (*COVERED, "hash")]


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, and with the entry of which number; 0: with the head."""

    sequence: int
    problem: str


@dataclass(frozen=True, slots=True)
class Span:
    """Which entries: `last` None means up to the end. `noted` is a head written down earlier."""

    first: int = 1
    last: int | None = None
    noted: tuple[int, str] | None = None


@dataclass(slots=True)
class _Place:
    """How far the walk is: the number that comes next, and the hash it has to refer to."""

    expected: int
    hash: str | None  # None: the entry before is missing


def present_head(session: Session) -> Head | None:
    """Where the chain ends, as the table says; None where nothing was ever recorded."""
    row = session.get(AuditHead, 1)
    return Head(row.sequence, row.hash, row.mark) if row else None


def findings(session: Session, vault: Vault, span: Span) -> Iterator[Finding]:
    """Everything that is wrong, entry by entry; the entries are never all in memory.

    The session must not have begun: it reads one state of the ledger, whatever is added meanwhile.
    """
    session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    head = present_head(session)
    place = _Place(span.first, _hash_before(session, span.first))
    if place.hash is None:
        yield Finding(span.first - 1, "is missing")
    yield from _walk(session, span, place)
    yield from _of_end(head, vault, span, place)
    if span.noted:
        yield from _of_noted(session, *span.noted)


def _walk(session: Session, span: Span, place: _Place) -> Iterator[Finding]:
    query = select(*_COLUMNS).where(AuditEntry.sequence >= span.first)
    if span.last is not None:
        query = query.where(AuditEntry.sequence <= span.last)
    query = query.order_by(AuditEntry.sequence).execution_options(yield_per=AT_A_TIME)
    for row in session.execute(query).mappings():
        yield from _of_entry(row, place)
        place.expected, place.hash = row["sequence"] + 1, row["hash"]


def _of_entry(row: RowMapping, place: _Place) -> Iterator[Finding]:
    sequence = row["sequence"]
    if sequence != place.expected:
        yield _missing(place.expected, sequence - 1)
        place.hash = None
    if hash_of(dict(row)) != row["hash"]:
        yield Finding(sequence, "was changed")
    if place.hash is not None and row["previous_hash"] != place.hash:
        yield Finding(sequence, "does not follow from the entry before it: one of them was changed")
    if row["action"] == Action.AUDIT_DISTRUSTED:
        yield Finding(sequence, "says that the head had been moved by somebody else")


def _of_end(head: Head | None, vault: Vault, span: Span, place: _Place) -> Iterator[Finding]:
    if head is None:
        if place.expected > 1:
            yield Finding(0, "the head is missing")
        return
    if not head.is_signed(vault):
        yield Finding(0, "the head was not signed with a key of this platform")
    last = head.sequence if span.last is None else min(span.last, head.sequence)
    if place.expected <= last:
        yield _missing(place.expected, last, " from the end")
    elif place.expected > head.sequence + 1:
        yield Finding(head.sequence + 1, "was added without the platform's key")
    elif place.expected == head.sequence + 1 and place.hash != head.hash:
        yield Finding(head.sequence, "is not the entry that the head was signed for")


def _of_noted(session: Session, sequence: int, noted_hash: str) -> Iterator[Finding]:
    found = session.scalar(select(AuditEntry.hash).where(AuditEntry.sequence == sequence))
    if found != noted_hash and (sequence, noted_hash) != (0, GENESIS):
        problem = "is not the one that was noted" if found else "was noted, and is missing"
        yield Finding(sequence, problem)


def _hash_before(session: Session, first: int) -> str | None:
    if first == 1:
        return GENESIS
    return session.scalar(select(AuditEntry.hash).where(AuditEntry.sequence == first - 1))


def _missing(first: int, last: int, where: str = "") -> Finding:
    if first == last:
        return Finding(first, f"is missing{where}")
    return Finding(first, f"and those up to {last} are missing{where}")
