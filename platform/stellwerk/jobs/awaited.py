"""Which children a job waits for, and whether it still has to."""

from dataclasses import dataclass
from typing import Any
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
# The same by what the waiting parent's row keeps.
_ANY_STORED_LIVE = text("""
    WITH awaited AS MATERIALIZED (
        SELECT awaits -> 'child_ids' AS ids FROM jobs WHERE id = :parent)
    SELECT EXISTS (SELECT 1 FROM jobs c
        WHERE c.parent_id = :parent AND c.finished_at IS NULL
            AND ((SELECT ids FROM awaited) = 'null' OR CAST(c.id AS text) IN (
                SELECT jsonb_array_elements_text(ids) FROM awaited WHERE ids <> 'null')))
""")


@dataclass(frozen=True, slots=True)
class Awaited:
    """`child_ids` None: all of them; `step`: the parent's step whose progress they are."""

    child_ids: tuple[UUID, ...] | None
    fails_fast: bool
    step: str = ""

    def as_json(self) -> dict[str, Any]:
        """What the waiting job's row keeps."""
        ids = None if self.child_ids is None else [str(child_id) for child_id in self.child_ids]
        return {"child_ids": ids, "fails_fast": self.fails_fast, "step": self.step}

    def is_over(self, session: Session, parent_id: UUID) -> bool:
        """Whether the wait is over: all have ended, or one that may not fail has."""
        ids = None if self.child_ids is None else list(self.child_ids)
        values = {"parent": parent_id, "ids": ids}
        if not session.scalar(_ANY_LIVE, values):
            return True
        return self.fails_fast and bool(session.scalar(_ANY_FALLEN, values))


def any_awaited_live(session: Session, parent_id: UUID) -> bool:
    """Whether one of those has not ended that the waiting parent waits for."""
    return bool(session.scalar(_ANY_STORED_LIVE, {"parent": parent_id}))
