"""What connections hold under the vault's keys."""

from stellwerk.db.holdings import SealedBytes

SEALED = (
    SealedBytes("oauth_connections", "sealed"),
    SealedBytes("oauth_states", "sealed"),
    SealedBytes("oauth_revocations", "sealed"),
)
