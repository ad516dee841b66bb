"""What requests about privacy hold of a person: that they were made."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy.orm import Session

from stellwerk.db.personal import held, remove_batch
from stellwerk.privacy.model import PrivacyRequest, RequestKind


def export(session: Session, user_id: int) -> Mapping[str, Iterable[Mapping[str, Any]]]:
    """Every request, without the token's hash; the address stands in the profile."""
    mine = PrivacyRequest.user_id == user_id
    return {"requests": held(session, PrivacyRequest, mine, without=["receipt_hash", "address"])}


def erase(session: Session, user_id: int) -> Mapping[str, int]:
    """Remove exports; the erasure's own row becomes nobody's when the account goes."""
    exports = (PrivacyRequest.user_id == user_id) & (PrivacyRequest.kind == RequestKind.EXPORT)
    return {"exports": remove_batch(session, PrivacyRequest, exports)}
