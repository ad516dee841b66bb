"""What accounts hold under the vault's keys."""

from stellwerk.db.holdings import SealedBytes

SEALED = (SealedBytes("signing_keys", "sealed"),)
