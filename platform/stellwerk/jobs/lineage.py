"""What a job made for another one inherits from it, and how large a family may grow."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from stellwerk.errors import Conflict, ErrorCode, NotFound
from stellwerk.settings import Settings

BY_REQUEST = "@request"  # the step of children that clients made; handlers' steps are named freely

# The lock keeps the parent from ending, and from waiting, before the child is seen.
_PARENT = text("""
    SELECT owner_id, depth, tags, request_id,
        finished_at IS NULL AND cancel_requested_at IS NULL AND ending IS NULL AS takes_children
    FROM jobs WHERE id = :id FOR NO KEY UPDATE
""")
# By itself, after the lock: a statement that waited for it would not see who came before.
_CHILDREN = text("""
    SELECT count(*) FROM (SELECT 1 FROM jobs WHERE parent_id = :id LIMIT :most) few
""")
# Statements that end many jobs pass over those that have any (outcomes.py, unstarted.py).
_MARK = text("UPDATE jobs SET has_children = true WHERE id = :id AND NOT has_children")
_TWIN = text("""
    SELECT id FROM jobs WHERE parent_id = :id AND parent_step = :step AND parent_key = :key
""")


@dataclass(frozen=True, slots=True)
class Parent:
    """Whose child a job is: unique by parent, step and key."""

    job_id: UUID
    key: str
    step: str = BY_REQUEST


def inherited(
    session: Session, settings: Settings, parent: Parent, *, children: int = 1
) -> dict[str, Any]:
    """Lock the parent and return the columns that so many new children take over from it.

    `parent` is that of the first one. Raises NotFound, Conflict: it has ended or is about to,
    CHILD_LIMIT_REACHED, or DUPLICATE_JOB where it has such a child.
    """
    found = session.execute(_PARENT, {"id": parent.job_id}).one_or_none()
    if found is None:
        raise NotFound(f"There is no job {parent.job_id}.")
    if not found.takes_children:
        raise Conflict(f"Job {parent.job_id} has ended, or is about to; it takes no children.")
    _refuse_too_many(session, parent, children, most=settings.job_children_max)
    _refuse_too_deep(found.depth + 1, settings.job_depth_max)
    _refuse_twin(session, parent)
    session.execute(_MARK, {"id": parent.job_id})
    return {
        "owner_id": found.owner_id,
        "depth": found.depth + 1,
        "tags": found.tags,
        "request_id": found.request_id,
    }


def adopted(row: dict[str, Any], family: dict[str, Any], parent: Parent) -> dict[str, Any]:
    """A child's columns: what it takes over, its own tags beside its parent's, its own request."""
    own = {
        "request_id": row["request_id"] or family["request_id"],
        "parent_id": parent.job_id,
        "parent_step": parent.step,
        "parent_key": parent.key,
        "tags": list(dict.fromkeys([*family["tags"], *row["tags"]])),
    }
    return row | family | own


def _refuse_twin(session: Session, parent: Parent) -> None:
    values = {"id": parent.job_id, "step": parent.step, "key": parent.key}
    twin = session.scalar(_TWIN, values)
    if twin:
        message = f"Job {parent.job_id} has a child with the key {parent.key!r}."
        raise Conflict(message, code=ErrorCode.DUPLICATE_JOB, details={"job_id": str(twin)})


def _refuse_too_many(session: Session, parent: Parent, more: int, *, most: int) -> None:
    present = session.scalar(_CHILDREN, {"id": parent.job_id, "most": most}) or 0
    if present + more > most:
        message = f"A job may have {most} children."
        raise Conflict(message, code=ErrorCode.CHILD_LIMIT_REACHED)


def _refuse_too_deep(depth: int, most: int) -> None:
    if depth > most:
        message = f"Jobs may be nested {most} deep."
        raise Conflict(message, code=ErrorCode.CHILD_LIMIT_REACHED)
