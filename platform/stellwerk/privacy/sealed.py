"""What requests about privacy hold under the vault's keys."""

from stellwerk.db.holdings import SealedBytes

SEALED = (SealedBytes("privacy_requests", "address"),)
