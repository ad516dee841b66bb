"""What the ledger holds under the vault's keys."""

from stellwerk.db.holdings import SealedBytes, SealedJson

_OF_SENSITIVE = "job_id IN (SELECT id FROM jobs WHERE is_sensitive)"

SEALED = (
    SealedJson("jobs", "payload", where="is_sensitive"),
    SealedJson("jobs", "result", where="is_sensitive"),
    SealedJson("jobs", "error", where="is_sensitive"),
    SealedJson("jobs", "ending", where="is_sensitive"),
    SealedJson("job_steps", "output", ("job_id", "step", "key")),  # of ordinary parents too
    SealedJson("job_signals", "data", where=_OF_SENSITIVE),
    SealedJson("job_logs", "fields", where=_OF_SENSITIVE),
    SealedBytes("job_artifacts", "sealed_key", ("job_id", "name")),
)
