"""One operation on a module at a time: whoever comes second is told of the first."""

from collections.abc import Callable

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from stellwerk.errors import Conflict, ErrorCode
from stellwerk.jobs.model import Job
from stellwerk.jobs.operation import Hook
from stellwerk.jobs.runtime import Runtime
from stellwerk.modules.model import ModuleOperation

Check = Callable[[Session, dict[str, object]], None]


def claiming(check: Check) -> Hook:
    """An `on_accept`: refuses what `check` does, and what another operation is at work on."""

    def accept(session: Session, job: Job, runtime: Runtime) -> None:
        del runtime
        _claim(session, job)
        check(session, job.payload)

    return accept


def release(session: Session, job: Job, runtime: Runtime) -> None:
    """The operation is over, however it ended."""
    del runtime
    mine = ModuleOperation.job_id == job.id
    session.execute(update(ModuleOperation).where(mine).values(is_active=False))


def claim_again(session: Session, job: Job, runtime: Runtime) -> None:
    """The job is tried again; raises Conflict where another operation is at work by now."""
    del runtime
    _refuse_second(session, job)
    mine = ModuleOperation.job_id == job.id
    _or_busy(
        session,
        job,
        lambda: session.execute(update(ModuleOperation).where(mine).values(is_active=True)),
    )


def _claim(session: Session, job: Job) -> None:
    _refuse_second(session, job)
    name = job.payload["module_name"]

    def add() -> None:
        session.add(ModuleOperation(job_id=job.id, module_name=name))
        session.flush()

    session.flush()
    _or_busy(session, job, add)


def _or_busy(session: Session, job: Job, change: Callable[[], object]) -> None:
    try:
        with session.begin_nested():
            change()
    except IntegrityError:
        _refuse_second(session, job)
        raise


def _refuse_second(session: Session, job: Job) -> None:
    name = job.payload["module_name"]
    running = session.scalar(
        select(ModuleOperation.job_id).where(
            ModuleOperation.module_name == name,
            ModuleOperation.is_active,
            ModuleOperation.job_id != job.id,
        )
    )
    if running is not None:
        message = f"Another operation on {name} is not finished yet."
        details = {"operation_id": str(running), "job_id": str(running)}
        raise Conflict(message, code=ErrorCode.MODULE_BUSY, details=details, retry_after_s=2)
