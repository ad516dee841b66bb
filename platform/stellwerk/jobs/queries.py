"""Reads of the ledger: the public job document, lists, logs and artifacts."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, select, text
from sqlalchemy.orm import Session

from stellwerk.clock import rfc3339, utc_now
from stellwerk.errors import Gone, NotFound
from stellwerk.jobs.lists import JobFilter, ids_of_page
from stellwerk.jobs.model import Job, JobArtifact, JobLog
from stellwerk.jobs.operation import Registry, Step
from stellwerk.jobs.ports import Change
from stellwerk.jobs.remains import JobCost, JobTombstone
from stellwerk.jobs.sealing import masked, masked_error, unseal, unseal_error
from stellwerk.jobs.states import TERMINAL, JobStatus, PublicStatus, public_status
from stellwerk.vault import Vault

API = "/api/v1"

# What a document is made of, of a relation `j` that has the columns of `jobs`, and no more: of each
# column the driver decodes the name anew in every answer.
DOCUMENT = """
    j.id, j.operation, j.owner_id, j.queue, j.status, j.result, j.error, j.ending, j.attempt,
    j.failures, j.max_attempts, j.version, j.progress, j.message, j.run_at, j.parent_id, j.tags,
    j.is_sensitive, j.is_simulated, j.created_at, j.started_at, j.finished_at,
    j.run_at > clock_timestamp() AS is_ahead,
        (SELECT coalesce(jsonb_agg(jsonb_build_object('name', s.step, 'key', s.key,
            'state', s.state, 'started_at', s.started_at, 'finished_at', s.finished_at)
            ORDER BY s.started_at), '[]')
         FROM job_steps s WHERE s.job_id = j.id AND s.kind <> 'wait') AS step_rows,
        (SELECT coalesce(jsonb_agg(jsonb_build_object('name', a.name, 'content_type',
            a.content_type, 'size_bytes', a.size_bytes, 'sha256', a.sha256)
            ORDER BY a.created_at, a.name), '[]')
         FROM job_artifacts a WHERE a.job_id = j.id) AS artifact_rows,
        (SELECT coalesce(sum(c.amount), 0) FROM job_costs c WHERE c.job_id = j.id) AS cost
"""
_DOCUMENTS = f"SELECT {DOCUMENT} FROM jobs j"
_BY_IDS = text(_DOCUMENTS + " WHERE j.id = ANY(:ids)")

Row = Mapping[str, Any] | RowMapping

_AHEAD = frozenset({PublicStatus.SCHEDULED, PublicStatus.RETRYING})
_ENDED = frozenset(PublicStatus(status) for status in TERMINAL)
_STEP_STATUS = {"intent": "running", "done": "completed", "undone": "undone"}


def changes(session: Session, registry: Registry, job_ids: Iterable[UUID]) -> list[Change]:
    """The jobs' present public documents, ready to be shown."""
    ids = list(job_ids)
    if not ids:
        return []
    rows = session.execute(_BY_IDS, {"ids": ids}).mappings()
    return [change_of(row, registry) for row in rows]


def change(session: Session, registry: Registry, job_id: UUID) -> Change:
    """One job's document; raises NotFound, or Gone where it was purged."""
    registry.history.refresh(session, registry.names())
    found = changes(session, registry, [job_id])
    if found:
        return found[0]
    if session.get(JobTombstone, job_id):
        raise Gone(f"Job {job_id} was removed at the end of its retention.")
    raise NotFound(f"There is no job {job_id}.")


def unsealed(session: Session, registry: Registry, vault: Vault, job_id: UUID) -> dict[str, Any]:
    """A job's document with nothing masked, for its owner alone; raises as `change` does."""
    shown = change(session, registry, job_id).document
    result, error = session.execute(select(Job.result, Job.error).where(Job.id == job_id)).one()
    opened = {
        "result": unseal(vault, job_id, result),
        "error": unseal_error(vault, job_id, error),
    }
    return shown | opened


def stored_status(session: Session, job_id: UUID) -> JobStatus | None:
    """The state the ledger has; None for an unknown job."""
    status = session.scalar(select(Job.status).where(Job.id == job_id))
    return JobStatus(status) if status else None


def documents(session: Session, registry: Registry, wanted: JobFilter) -> list[dict[str, Any]]:
    """Documents of the newest jobs that pass the filter."""
    ids, values = ids_of_page(wanted)
    statement = text(f"{_DOCUMENTS} WHERE j.id = ANY(ARRAY({ids})) ORDER BY j.id DESC")
    registry.history.refresh(session, registry.names())
    rows = session.execute(statement, values).mappings()
    return [document(row, registry) for row in rows]


def logs(session: Session, job_id: UUID, *, after_id: int, limit: int) -> Sequence[JobLog]:
    """Log lines of a job in the order they were written."""
    query = select(JobLog).where(JobLog.job_id == job_id, JobLog.id > after_id)
    return session.scalars(query.order_by(JobLog.id).limit(limit)).all()


def costs(session: Session, job_id: UUID) -> Sequence[JobCost]:
    """Cost lines of a job."""
    return session.scalars(
        select(JobCost).where(JobCost.job_id == job_id).order_by(JobCost.id)
    ).all()


def artifact(session: Session, job_id: UUID, name: str) -> JobArtifact:
    """One artifact's row; raises NotFound naming it."""
    found = session.get(JobArtifact, (job_id, name))
    if found is None:
        raise NotFound(f"Job {job_id} has no artifact {name!r}.")
    return found


def document(row: Row, registry: Registry) -> dict[str, Any]:
    """The job as clients see it (docs/job_states.md explains `status`).

    Its first four members stay where they are: polls read them without parsing the rest. That of an
    ended sensitive job begins otherwise: its owner is to be shown more than others.
    """
    status = _public(row)
    shown: dict[str, Any] = {"sensitive": True} if is_hidden(row) else {}
    expected_end = registry.history.expected_end(row, status, utc_now())
    return shown | {
        "job_id": str(row["id"]),
        "operation": row["operation"],
        "status": status,
        "queue": row["queue"],
        "progress": row["progress"],
        "message": row["message"],
        "steps": _steps(row, registry),
        "attempt": row["attempt"],
        "failures": (row["ending"] or {}).get("failures", row["failures"]),
        "max_attempts": row["max_attempts"],
        "created_at": rfc3339(row["created_at"]),
        "run_at": rfc3339(row["run_at"]),
        "started_at": rfc3339(row["started_at"]),
        "finished_at": rfc3339(row["finished_at"]),
        "estimated_completion_at": rfc3339(expected_end),
        "result": masked(row["result"]) if row["is_sensitive"] else row["result"],
        "error": masked_error(row["error"]),
        "cost": round(float(row["cost"]), 6),
        "simulated": row["is_simulated"],
        "tags": row["tags"],
        "artifacts": [_artifact(row["id"], item) for item in row["artifact_rows"]],
        "links": links(row["id"], status=status, parent_id=row["parent_id"]),
    }


def is_hidden(row: Row) -> bool:
    """Whether the document hides what the job came to."""
    return bool(row["is_sensitive"]) and JobStatus(row["status"]) in TERMINAL


def links(
    job_id: UUID, *, status: PublicStatus = PublicStatus.QUEUED, parent_id: UUID | None = None
) -> dict[str, str]:
    """Where to go from a job; what can be done to it, as far as it can be done now."""
    root = f"{API}/jobs/{job_id}"
    names = ["events", "logs", "steps", "children", "artifacts"]
    if status in {PublicStatus.FAILED, PublicStatus.CANCELLED}:
        names.append("retry")
    if status not in _ENDED:
        names.append("cancel")
    found = {"self": root} | {name: f"{root}/{name}" for name in names}
    return found | ({"parent": f"{API}/jobs/{parent_id}"} if parent_id else {})


def change_of(row: Row, registry: Registry) -> Change:
    """What watchers are shown of a row of `_DOCUMENTS`, or of one that equals it."""
    return Change(
        job_id=row["id"],
        owner_id=row["owner_id"],
        version=row["version"],
        is_final=JobStatus(row["status"]) in TERMINAL,
        document=document(row, registry),
        is_internal=row["operation"] in registry.internal,
        true_until=row["run_at"] if _public(row) in _AHEAD else None,
    )


def _public(row: Row) -> PublicStatus:
    return public_status(
        JobStatus(row["status"]),
        is_ahead=row["is_ahead"],
        was_tried=row["attempt"] > 0,
        is_undoing=row["ending"] is not None,
    )


def _steps(row: Row, registry: Registry) -> list[dict[str, Any]]:
    """Declared steps first, in their order, without their parts; then what handlers named."""
    declared: tuple[Step, ...] = ()
    if row["operation"] in registry:
        declared = registry.get(row["operation"]).steps
    names = {step.name for step in declared}
    recorded = {
        (item["name"], item["key"]): item
        for item in row["step_rows"]
        if not (item["key"] and item["name"] in names)
    }
    pending = {(step.name, ""): {"name": step.name, "key": ""} for step in declared}
    return [_step(item, row) for item in (pending | recorded).values()]


def _step(item: Mapping[str, Any], job: Row) -> dict[str, Any]:
    """A step; one that ran when its job ended, ended with it."""
    status = _STEP_STATUS.get(item.get("state") or "", "pending")
    finished_at = _moment(item.get("finished_at"))
    if status == "running" and job["status"] in {JobStatus.FAILED, JobStatus.CANCELLED}:
        status, finished_at = job["status"], rfc3339(job["finished_at"])
    return {
        "name": f"{item['name']}:{item['key']}" if item["key"] else item["name"],
        "status": status,
        "started_at": _moment(item.get("started_at")),
        "finished_at": finished_at,
    }


def _moment(value: str | None) -> str | None:
    return rfc3339(datetime.fromisoformat(value)) if value else None


def _artifact(job_id: UUID, item: Mapping[str, Any]) -> dict[str, Any]:
    return {**item, "url": f"{API}/jobs/{job_id}/artifacts/{item['name']}"}
