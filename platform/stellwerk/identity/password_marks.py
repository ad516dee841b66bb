"""Whether a user's password is still the one that stood when something was asked for.

What is only done later carries a keyed mark of the password's hash; nobody can tell, or guess, the
password by it.
"""

from stellwerk.identity.model import User
from stellwerk.vault import Vault


def mark(vault: Vault, user: User) -> str:
    """What to keep with a request, of the password that the user has now."""
    return vault.marks(_said(user))[0]


def is_of(vault: Vault, user: User, kept: str | None) -> bool:
    """Whether that was the mark of the password that the user has now, by whichever key."""
    return kept in vault.marks(_said(user))


def _said(user: User) -> bytes:
    return f"password of {user.id}: {user.password_hash}".encode()
