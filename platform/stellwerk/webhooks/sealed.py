"""What webhooks hold under the vault's keys."""

from stellwerk.db.holdings import SealedBytes

SEALED = (SealedBytes("webhook_secrets", "sealed"),)
