"""What modules hold under the vault's keys."""

from stellwerk.db.holdings import SealedBytes

SEALED = (
    SealedBytes("module_instances", "secrets"),
    SealedBytes("module_operations", "secrets", ("job_id",)),
)
