"""Reading and removing what tables hold of one person, in pieces that fit into memory."""

from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, delete, select, tuple_
from sqlalchemy.orm import Session

from stellwerk.db.base import Base

BATCH = 1000  # rows removed by one statement
AT_ONCE = 500  # rows held while they are read


def held(
    session: Session,
    model: type[Base],
    condition: ColumnElement[bool],
    *,
    without: Collection[str] = (),
) -> Iterator[dict[str, Any]]:
    """The rows, in the order of their keys; `without` names columns that are nobody's to see."""
    columns = [column for column in model.__table__.columns if column.key not in without]
    query = select(*columns).where(condition).order_by(*_key(model))
    rows = session.execute(query, execution_options={"yield_per": AT_ONCE}).mappings()
    return (dict(row) for row in rows)


def remove_batch(session: Session, model: type[Base], condition: ColumnElement[bool]) -> int:
    """Remove some of the rows, `BATCH` at most; how many, 0 once there are none left."""
    keys = _key(model)
    chosen = select(*keys).where(condition).limit(BATCH)
    key = keys[0] if len(keys) == 1 else tuple_(*keys)
    statement = delete(model).where(key.in_(chosen))
    return count(session.execute(statement, execution_options={"synchronize_session": False}))


def _key(model: type[Base]) -> tuple[ColumnElement[Any], ...]:
    return tuple(column for column in model.__table__.columns if column.primary_key)


def count(result: object) -> int:
    """How many rows a statement changed."""
    return result.rowcount if isinstance(result, CursorResult) else 0
