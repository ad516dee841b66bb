"""One operation on a module at a time: whoever comes second is told of the first.

An operation has its turn from its acceptance to its end. One that is due later takes it when it
begins, so that nobody waits for what is planned for tomorrow.
"""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from stellwerk.errors import Conflict, ErrorCode
from stellwerk.jobs.model import Job
from stellwerk.jobs.runtime import Runtime
from stellwerk.jobs.states import JobStatus
from stellwerk.modules import given_secrets
from stellwerk.modules.model import ModuleOperation

RECONCILE = "modules.reconcile"

Check = Callable[[Session, dict[str, object]], None]

_TAKE = text("""
    INSERT INTO module_operations (job_id, module_name, is_active) VALUES (:job_id, :name, :is_due)
    ON CONFLICT (job_id) DO UPDATE SET module_name = excluded.module_name, is_active = true
""")
_RELEASE = text("UPDATE module_operations SET is_active = false WHERE job_id = :job_id")


@dataclass(frozen=True, slots=True)
class Claim:
    """The hooks of an operation that `check` may refuse."""

    check: Check

    def accept(self, session: Session, job: Job, runtime: Runtime) -> None:
        """`on_accept`: raises Conflict (MODULE_BUSY), and what `check` raises."""
        del runtime
        session.flush()
        is_due = session.scalar(select(Job.run_at <= func.now()).where(Job.id == job.id))
        take(session, job.id, job.payload["module_name"], is_due=bool(is_due))
        given_secrets.keep(session, job)
        self.check(session, job.payload)

    def accept_again(self, session: Session, job: Job, runtime: Runtime) -> None:
        """`on_requeue`: also refuses a job after which others changed the module.

        What it stored of the module is not true any more. Raises Conflict, and what `check` raises.
        """
        del runtime
        name = job.payload["module_name"]
        take(session, job.id, name)
        _refuse_overtaken(session, job.id, name)
        self.check(session, job.payload)


def take(session: Session, job_id: UUID, module_name: str, *, is_due: bool = True) -> None:
    """Have the module for this job alone; raises Conflict (MODULE_BUSY)."""
    if is_due:
        _refuse_second(session, job_id, module_name)
    try:
        with session.begin_nested():
            values = {"job_id": job_id, "name": module_name, "is_due": is_due}
            session.execute(_TAKE, values)
    except IntegrityError:
        _refuse_second(session, job_id, module_name)
        raise


def release(session: Session, job: Job, runtime: Runtime) -> None:
    """`on_end`: the operation is over, however it ended."""
    del runtime
    give_back(session, job.id)
    if job.status == JobStatus.COMPLETED:
        given_secrets.erase(session, job.id)


def give_back(session: Session, job_id: UUID) -> None:
    """Let others have the module."""
    session.execute(_RELEASE, {"job_id": job_id})


def _refuse_second(session: Session, job_id: UUID, module_name: str) -> None:
    running = session.scalar(
        select(ModuleOperation.job_id).where(
            ModuleOperation.module_name == module_name,
            ModuleOperation.is_active,
            ModuleOperation.job_id != job_id,
        )
    )
    if running is not None:
        message = f"Another operation on {module_name} is not finished yet."
        details = {"operation_id": str(running), "job_id": str(running)}
        raise Conflict(message, code=ErrorCode.MODULE_BUSY, details=details, retry_after_s=2)


def _refuse_overtaken(session: Session, job_id: UUID, module_name: str) -> None:
    """Ids of jobs grow with their times; what reconciles changes no more than was written down."""
    later = session.scalar(
        select(ModuleOperation.job_id)
        .join(Job, Job.id == ModuleOperation.job_id)
        .where(
            ModuleOperation.module_name == module_name,
            ModuleOperation.job_id > job_id,
            Job.operation != RECONCILE,
        )
        .limit(1)
    )
    if later is not None:
        message = f"{module_name} was changed since by another operation. Ask for it anew."
        details = {"operation_id": str(later)}
        raise Conflict(message, code=ErrorCode.JOB_NOT_RETRYABLE, details=details)
