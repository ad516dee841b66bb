"""What is forgotten about connections."""

from sqlalchemy.orm import Session

from stellwerk.db.expiry import removal, remove

# A day longer than they are good for: till then they are refused as too late, not as unknown.
_STATES = removal("oauth_states", "expires_at < now() - interval '1 day'")


def forget_states(session: Session) -> int:
    """Remove a batch of requests for authorization that nobody answered; how many."""
    return remove(session, _STATES)
