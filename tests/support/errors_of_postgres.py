"""Lets Postgres refuse something with an error of one's choice."""

from sqlalchemy import event, text
from sqlalchemy.orm import Session

_STOP = "DO $$ BEGIN RAISE EXCEPTION 'stopped' USING ERRCODE = '{code}'; END $$"


def stops(code: str, session: Session) -> None:
    """Have a statement fail with this SQLSTATE."""
    session.execute(text(_STOP.format(code=code)))


def stop_at_commit(session: Session, code: str) -> None:
    """Let the session's transaction fail with it when it is to be committed, behind savepoints."""

    def stop(closing: Session) -> None:
        if not closing.in_nested_transaction():
            stops(code, closing)

    event.listen(session, "before_commit", stop)
