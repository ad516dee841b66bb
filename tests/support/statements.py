"""Counts what is sent to Postgres through SQLAlchemy."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, event


@dataclass(slots=True)
class Counted:
    """So far."""

    statements: int = 0
    commits: int = 0
    most_rows: int = 0  # of one statement

    def sent(self, *_: Any) -> None:
        self.statements += 1

    def answered(self, _: Any, cursor: Any, *__: Any) -> None:
        self.most_rows = max(self.most_rows, cursor.rowcount)

    def committed(self, _: Any) -> None:
        self.commits += 1


@contextmanager
def counted(engine: Engine) -> Iterator[Counted]:
    """What is sent within the block."""
    found = Counted()
    event.listen(engine, "before_cursor_execute", found.sent)
    event.listen(engine, "after_cursor_execute", found.answered)
    event.listen(engine, "commit", found.committed)
    yield found
    event.remove(engine, "before_cursor_execute", found.sent)
    event.remove(engine, "after_cursor_execute", found.answered)
    event.remove(engine, "commit", found.committed)
