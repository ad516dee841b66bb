"""Tokens as they are stored: JSON, sealed by the vault."""

from dataclasses import asdict

import orjson

from stellwerk.providers.oauth.protocol import Grant
from stellwerk.vault import Vault


def sealed(vault: Vault, grant: Grant) -> bytes:
    """The grant as only the vault's keys open it."""
    return vault.seal(orjson.dumps(asdict(grant)).decode())


def opened(vault: Vault, stored: bytes) -> Grant:
    """What was sealed; raises ConfigurationError where its key is missing."""
    said = orjson.loads(vault.open(stored))
    return Grant(**{**said, "scopes": tuple(said["scopes"])})
