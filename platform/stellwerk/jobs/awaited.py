"""Which children a job waits for, and whether it still has to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

# :ids are those that are awaited, or NULL for all of the parent's.
_AWAITED = "c.parent_id = :parent AND (CAST(:ids AS uuid[]) IS NULL OR c.id = ANY(:ids))"
_ANY_LIVE = text(f"""
    SELECT EXISTS (SELECT 1 FROM jobs c WHERE {_AWAITED} AND c.finished_at IS NULL)
""")
_ANY_FALLEN = text(f"""
    SELECT EXISTS (SELECT 1 FROM jobs c
        WHERE {_AWAITED} AND c.status IN ('failed', 'cancelled'))
""")


@dataclass(frozen=True, slots=True)
class Awaited:
    """`child_ids` None: all of them; `step`: the parent's step whose progress they are."""

    child_ids: tuple[UUID, ...] | None
    fails_fast: bool
    step: str = ""

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        """Read what `as_json` gave."""
        ids = stored["child_ids"]
        found = None if ids is None else tuple(UUID(child_id) for child_id in ids)
        return cls(found, stored["fails_fast"], stored["step"])

    def as_json(self) -> dict[str, Any]:
        """What the waiting job's row keeps."""
        ids = None if self.child_ids is None else [str(child_id) for child_id in self.child_ids]
        return {"child_ids": ids, "fails_fast": self.fails_fast, "step": self.step}

    def covers(self, child_id: UUID) -> bool:
        """Whether this child is one of them."""
        return self.child_ids is None or child_id in self.child_ids

    def any_live(self, session: Session, parent_id: UUID) -> bool:
        """Whether one of them has not ended."""
        return bool(session.scalar(_ANY_LIVE, self._values(parent_id)))

    def is_over(self, session: Session, parent_id: UUID) -> bool:
        """Whether the wait is over: all have ended, or one that may not fail has."""
        if not self.any_live(session, parent_id):
            return True
        return self.fails_fast and bool(session.scalar(_ANY_FALLEN, self._values(parent_id)))

    def _values(self, parent_id: UUID) -> dict[str, Any]:
        return {
            "parent": parent_id,
            "ids": None if self.child_ids is None else list(self.child_ids),
        }
