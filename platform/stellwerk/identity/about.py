"""Tags of jobs that are the system's own and yet about somebody, so that an erasure finds them.

They are keyed hashes: whoever reads them learns of nobody.
"""

from stellwerk.identity.model import User
from stellwerk.vault import Vault

LENGTH = 32  # hex digits


def tags(vault: Vault, *, address: str = "", user_id: int | None = None) -> tuple[str, ...]:
    """What a new job about an address, an account or both is tagged with."""
    return tuple(_tag(vault.marks(said)[0]) for said in _said(address, user_id))


def all_tags(vault: Vault, user: User) -> list[str]:
    """What jobs about somebody may be tagged with, by whichever key."""
    marks = (mark for said in _said(user.email, user.id) for mark in vault.marks(said))
    return [_tag(mark) for mark in marks]


def _said(address: str, user_id: int | None) -> list[bytes]:
    of_address = [f"about-address:{address.strip().casefold()}".encode()] if address else []
    return of_address + ([] if user_id is None else [f"about-account:{user_id}".encode()])


def _tag(mark: str) -> str:
    return f"about:{mark[:LENGTH]}"
