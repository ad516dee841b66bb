"""What is forgotten about connections, and what is sealed by a new key."""

from typing import TypeVar
from uuid import UUID

from sqlalchemy import CursorResult, select, text
from sqlalchemy.orm import Session

from stellwerk.connections.model import OauthConnection, OauthRevocation
from stellwerk.jobs.runtime import Runtime

Sealed = TypeVar("Sealed", OauthConnection, OauthRevocation)

AT_ONCE = 200  # rows in one transaction
FIRST = UUID(int=0)

# A day longer than they are good for: till then they are refused as too late, not as unknown.
_STATES = text("DELETE FROM oauth_states WHERE expires_at < now() - interval '1 day'")


def purge(session: Session) -> dict[str, int]:
    """Remove requests for authorization that nobody answered; how many."""
    removed = session.execute(_STATES)
    return {"oauth_states": removed.rowcount if isinstance(removed, CursorResult) else 0}


def reseal(runtime: Runtime) -> int:
    """Seal all tokens by the vault's present key; how many were sealed by a former one.

    After that the former key can be taken out of STELLWERK_ENCRYPTION_KEY, as far as these go.
    """
    return _reseal_all(runtime, OauthConnection) + _reseal_all(runtime, OauthRevocation)


def _reseal_all(runtime: Runtime, table: type[Sealed]) -> int:
    number, last = 0, FIRST
    while True:
        with runtime.sessions.begin() as session:
            query = select(table).where(table.id > last, table.sealed.is_not(None))
            rows = session.scalars(query.order_by(table.id).limit(AT_ONCE).with_for_update()).all()
            for row in rows:
                anew = runtime.vault.resealed(row.sealed or b"")
                if anew is not None:
                    row.sealed = anew
                    number += 1
        if not rows:
            return number
        last = rows[-1].id
