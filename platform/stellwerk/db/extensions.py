"""What the database needs beside its own."""

from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from stellwerk.errors import ConfigurationError

PGCRYPTO = "pgcrypto"  # encrypted.py

_IS_THERE = text("SELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = :name)")


def require_pgcrypto(connection: Connection) -> None:
    """Install it in this database; raises ConfigurationError where that is not allowed here."""
    if connection.scalar(_IS_THERE, {"name": PGCRYPTO}):
        return
    try:
        connection.execute(text(f"CREATE EXTENSION IF NOT EXISTS {PGCRYPTO}"))
    except ProgrammingError as exc:
        message = (
            f"This database lacks the extension {PGCRYPTO}, and its role may not install it. Let "
            f"an administrator run there: CREATE EXTENSION {PGCRYPTO}; or give the role CREATE."
        )
        raise ConfigurationError(message) from exc
