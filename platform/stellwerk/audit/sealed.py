"""What the audit trail holds under the vault's keys."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from stellwerk.audit import chain
from stellwerk.audit.model import AuditHead
from stellwerk.db.holdings import Page, SealedBytes
from stellwerk.vault import Vault


@dataclass(frozen=True, slots=True)
class HeadsMark:
    """The mark on the head of the chain, made with one of the vault's keys."""

    name: str = "audit_head.mark"

    def counts(self, session: Session, vault: Vault) -> Counter[str]:
        """Which key made it; nothing where there is none, or none of these made it."""
        row = session.scalar(select(AuditHead))
        if row is None:
            return Counter()
        key = chain.Head(row.sequence, row.hash, row.mark).signer(vault)
        return Counter([key] if key else [])

    def move(
        self, session: Session, vault: Vault, after: tuple[Any, ...] | None, limit: int
    ) -> Page:
        """Mark it with the present key."""
        del limit
        if after or set(self.counts(session, vault)) <= {vault.present_key}:
            return Page(0, None)
        return Page(int(chain.sign(session, vault)), (1,))


SEALED = (SealedBytes("audit_subject_keys", "sealed"), HeadsMark())
UNDER_OTHER_KEYS = ("audit_entries.origin", "audit_entries.details")  # of their subjects
