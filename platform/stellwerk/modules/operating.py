"""A job about modules in the form in which clients of modules know operations."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from stellwerk.errors import NotFound
from stellwerk.jobs.model import Job
from stellwerk.jobs.states import PublicStatus

_LOOKS = frozenset({"verify", "health"})  # steps that make nothing
OF_MODULES = "modules."  # how the names of these operations begin


class OperationStatus(StrEnum):
    """How far an operation is."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


STATUS_OF: Mapping[PublicStatus, OperationStatus] = MappingProxyType(
    {
        PublicStatus.SCHEDULED: OperationStatus.QUEUED,
        PublicStatus.QUEUED: OperationStatus.QUEUED,
        PublicStatus.RUNNING: OperationStatus.RUNNING,
        PublicStatus.RETRYING: OperationStatus.RUNNING,
        PublicStatus.WAITING: OperationStatus.RUNNING,
        PublicStatus.COMPLETED: OperationStatus.COMPLETED,
        PublicStatus.FAILED: OperationStatus.FAILED,
        PublicStatus.CANCELLED: OperationStatus.FAILED,
    }
)


def module_of(session: Session, job_id: UUID) -> str | None:
    """The module that a job is about, if it is about one."""
    payload = session.scalar(select(Job.payload).where(Job.id == job_id)) or {}
    name = payload.get("module_name")
    return name if isinstance(name, str) else None


def operation_form(job: Mapping[str, Any], module_name: str | None) -> dict[str, Any]:
    """The form of a job's document; raises NotFound for a job that is none of modules'."""
    if not str(job["operation"]).startswith(OF_MODULES):
        raise NotFound(f"There is no operation on modules {job['job_id']}.")
    status = STATUS_OF[PublicStatus(job["status"])]
    has_failed = status is OperationStatus.FAILED
    failed_step = _failed_step(job["steps"]) if has_failed else None
    undone = _undone(job["steps"]) if has_failed else []
    return {
        "operation_id": job["job_id"],
        "job_id": job["job_id"],
        "operation": job["operation"],
        "module_name": module_name,
        "status": status.value,
        "progress": job["progress"],
        "message": _told(job, failed_step, undone) if has_failed else job["message"],
        "failed_step": failed_step,
        "undone": undone,
        "error": job["error"] if has_failed else None,
        "result": job["result"],
    }


def _failed_step(steps: list[dict[str, Any]]) -> str | None:
    """The last that was begun, unless it was done: steps are carried out in their order."""
    begun = [step for step in steps if step["status"] != "pending"]
    if not begun or begun[-1]["status"] == "completed":
        return None
    return str(begun[-1]["name"])


def _undone(steps: list[dict[str, Any]]) -> list[str]:
    """In the order in which they were undone; what only looks has nothing to undo."""
    undone = (step["name"] for step in reversed(steps) if step["status"] == "undone")
    return [name for name in undone if name not in _LOOKS]


def _told(job: Mapping[str, Any], failed_step: str | None, undone: list[str]) -> str:
    why = (job["error"] or {}).get("message", "")
    where = f"{failed_step}: " if failed_step else ""
    after = f" Undone: {', '.join(undone)}." if undone else ""
    return f"{where}{why}{after}"
