"""What is forgotten about connections."""

from sqlalchemy import CursorResult, text
from sqlalchemy.orm import Session

# A day longer than they are good for: till then they are refused as too late, not as unknown.
_STATES = text("DELETE FROM oauth_states WHERE expires_at < now() - interval '1 day'")


def purge(session: Session) -> dict[str, int]:
    """Remove requests for authorization that nobody answered; how many."""
    removed = session.execute(_STATES)
    return {"oauth_states": removed.rowcount if isinstance(removed, CursorResult) else 0}
