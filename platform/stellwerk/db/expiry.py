"""Removing rows whose time is over, as many at once as one statement does quickly."""

from typing import Any

from sqlalchemy import CursorResult, TextClause, text
from sqlalchemy.orm import Session

BATCH = 1000


def removal(table: str, condition: str) -> TextClause:
    """A statement that removes a batch; rows that somebody holds are left to the next run."""
    return text(f"""
        DELETE FROM {table} WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM {table} WHERE {condition} LIMIT {BATCH} FOR UPDATE SKIP LOCKED))
    """)  # noqa: S608  put together from constants only


def remove(session: Session, statement: TextClause, **values: Any) -> int:
    """Run it; how many rows went."""
    result = session.execute(statement, values)
    return result.rowcount if isinstance(result, CursorResult) else 0
