"""Secrets that an instance is installed with: sealed from the start, in no payload of a job.

The engine seals them before it stores the payload (`Operation.secrets`); from there they come to
the row of the operation. They stay until it completed, since a failed one may be tried again.
"""

from uuid import UUID

import orjson
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from stellwerk.jobs.model import Job
from stellwerk.jobs.sealing import is_sealed
from stellwerk.modules.model import ModuleOperation
from stellwerk.vault import MARK, Vault

SECRETS = "secrets"  # the member of the payload


def keep(session: Session, job: Job) -> None:
    """Move them, as they are, from a job's payload to the row of its operation."""
    given = job.payload.get(SECRETS) or {}
    if not is_sealed(given):
        return
    mine = ModuleOperation.job_id == job.id
    session.execute(update(ModuleOperation).where(mine).values(secrets=given[MARK].encode()))
    job.payload = {**job.payload, SECRETS: {}}


def secrets_for(session: Session, vault: Vault, job_id: UUID) -> dict[str, str]:
    """What the job's instance is to have, by name."""
    query = select(ModuleOperation.secrets).where(ModuleOperation.job_id == job_id)
    sealed = session.scalar(query)
    if sealed is None:
        return {}
    opened: dict[str, str] = orjson.loads(vault.open(sealed, str(job_id)))
    return opened


def erase(session: Session, job_id: UUID) -> None:
    """They are the instance's now."""
    mine = ModuleOperation.job_id == job_id
    session.execute(update(ModuleOperation).where(mine).values(secrets=None))
