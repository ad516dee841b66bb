"""What sensitive jobs hold, as the ledger keeps it: sealed by the vault, each for its own job.

A job is sensitive because its operation was when it was accepted (`jobs.is_sensitive`). Sealed are
its payload, result, errors, checkpoints, signals' data and the lines of its log. Whoever may look
at the job sees MASKED in their place, its owner alone what was sealed. Names are never sealed:
operation, queue, tags, keys, steps' and signals' names, and the codes of errors.
"""

from typing import Any
from uuid import UUID

import orjson

from stellwerk.db.engine import to_json
from stellwerk.errors import ErrorCode
from stellwerk.vault import MARK, Vault

MASKED = {"masked": True}
HIDDEN = "The data of this job are sensitive: its owner sees them at GET /jobs/{id}."

_OWN_WORDS = frozenset(  # of the engine: there is nothing of the job's in them
    {
        ErrorCode.EFFECT_UNCERTAIN,
        ErrorCode.JOB_CANCELLED,
        ErrorCode.TIME_LIMIT_EXCEEDED,
        ErrorCode.SIGNAL_TIMEOUT,
    }
)

Error = dict[str, Any]


def seal(vault: Vault, job_id: UUID, value: Any) -> dict[str, str]:
    """The JSON value as it is stored; raises TypeError for what JSON cannot hold."""
    return {MARK: vault.seal(to_json(value), str(job_id)).decode()}


def unseal(vault: Vault, job_id: UUID, stored: Any) -> Any:
    """The value as it was; what is not sealed stays as it is."""
    if not is_sealed(stored):
        return stored
    return orjson.loads(vault.open(stored[MARK].encode(), str(job_id)))


def is_sealed(stored: Any) -> bool:
    """Whether this is what `seal` makes, or holds it beside other members."""
    return isinstance(stored, dict) and isinstance(stored.get(MARK), str)


def seal_error(vault: Vault, job_id: UUID, error: Error) -> Error:
    """An error of which the code stays legible, and whether another attempt may help."""
    if error["code"] in _OWN_WORDS or is_sealed(error.get("details")):
        return error
    told = {"message": error["message"], "details": error["details"]}
    return {**error, "message": HIDDEN, "details": seal(vault, job_id, told)}


def unseal_error(vault: Vault, job_id: UUID, error: Error | None) -> Error | None:
    """The error as it was; what was added to its details since is kept."""
    if not error or not is_sealed(error.get("details")):
        return error
    told = unseal(vault, job_id, error["details"])
    added = {name: value for name, value in error["details"].items() if name != MARK}
    return {**error, "message": told["message"], "details": {**told["details"], **added}}


def masked_error(error: Error | None) -> Error | None:
    """The error as everybody may see it."""
    if not error or not is_sealed(error.get("details")):
        return error
    shown = {name: value for name, value in error["details"].items() if name != MARK}
    return {**error, "details": {**shown, **MASKED}}


def masked(stored: Any) -> Any:
    """A payload or result as everybody may see it."""
    return MASKED if is_sealed(stored) else stored


def log_columns(vault: Vault, job_id: UUID, message: str, fields: Any) -> dict[str, Any]:
    """A log line's `message` and `fields` as they are stored."""
    told = {"message": message, "fields": fields}
    return {"message": "", "fields": seal(vault, job_id, told)}
