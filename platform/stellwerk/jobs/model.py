"""The ledger: jobs and everything recorded about them. All times are Postgres's."""

from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID
from sqlalchemy.orm import Mapped, mapped_column

from stellwerk.db.base import Base, BigId, CreatedAt, Json, Money, Timestamp, Uuid
from stellwerk.jobs import remains  # noqa: F401  tables that belong to these
from stellwerk.jobs.indices import ACTIVE, FAMILIES, LISTED
from stellwerk.jobs.states import JobStatus

_STATUSES = ", ".join(f"'{status}'" for status in JobStatus)


class Job(Base):
    """One request for an operation. `attempt` and `lease_token` fence its writers.

    `version` is raised by every change; `failures` is the retry budget used; `crashes` counts
    workers that died while running it alone; `ending` holds the outcome of a job that is being
    rolled back before it ends, and when that was begun; `awaits` are the children it waits for
    (awaited.py).
    """

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint(f"status IN ({_STATUSES})", name="status"),
        CheckConstraint("(finished_at IS NULL) = (" + ACTIVE + ")", name="finished"),
        Index("ix_jobs_due", "queue", "run_at", postgresql_where=text("status = 'queued'")),
        Index(
            "ix_jobs_turns",  # see turns.py
            "queue",
            text("coalesce(owner_id, 0)"),
            "operation",
            text("least(attempt, 1)"),
            "run_at",
            "id",
            postgresql_where=text("status = 'queued' AND published_at IS NULL"),
        ),
        Index(
            "ix_jobs_published",
            "queue",
            "published_at",
            postgresql_where=text("status = 'queued' AND published_at IS NOT NULL"),
        ),
        Index("ix_jobs_lease", "lease_until", postgresql_where=text("status = 'running'")),
        Index("ix_jobs_wait", "wait_until", postgresql_where=text("status = 'waiting'")),
        *LISTED,
        Index(
            "uq_jobs_unique_key",  # see uniqueness.py
            "operation",
            text("coalesce(owner_id, 0)"),
            "unique_key",
            unique=True,
            postgresql_where=text(f"unique_key IS NOT NULL AND {ACTIVE}"),
        ),
        Index(
            "uq_jobs_operation_key",
            "operation",
            "operation_key",
            unique=True,
            postgresql_where=text(f"operation_key IS NOT NULL AND {ACTIVE}"),
        ),
        *FAMILIES,
        Index("ix_jobs_reserved", "owner_id", postgresql_where=text("reserved_cost > 0")),
        Index("ix_jobs_sensitive", "id", postgresql_where=text("is_sensitive")),
        Index(
            "ix_jobs_schedule_active",
            "schedule_id",
            postgresql_where=text(f"schedule_id IS NOT NULL AND {ACTIVE}"),
        ),
        {"postgresql_with": {"fillfactor": "80", "autovacuum_vacuum_scale_factor": "0.02"}},
    )

    id: Mapped[Uuid] = mapped_column(primary_key=True)
    operation: Mapped[str] = mapped_column(String(80))
    operation_version: Mapped[int]
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    queue: Mapped[str] = mapped_column(String(40))
    payload: Mapped[Json]
    status: Mapped[str] = mapped_column(String(10), server_default="queued")
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    error: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    ending: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))

    attempt: Mapped[int] = mapped_column(server_default="0")
    failures: Mapped[int] = mapped_column(server_default="0")
    crashes: Mapped[int] = mapped_column(server_default="0")
    max_attempts: Mapped[int]
    version: Mapped[int] = mapped_column(BigInteger, server_default="1")
    progress: Mapped[int] = mapped_column(server_default="0")  # percent
    message: Mapped[str] = mapped_column(Text, server_default="")

    run_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
    published_at: Mapped[Timestamp | None]
    lease_until: Mapped[Timestamp | None]
    lease_token: Mapped[Uuid | None]
    worker: Mapped[str | None] = mapped_column(String(120))
    cancel_requested_at: Mapped[Timestamp | None]
    wait_signal: Mapped[str | None] = mapped_column(String(80))
    wait_until: Mapped[Timestamp | None]

    unique_key: Mapped[str | None] = mapped_column(String(255))  # its sender's
    operation_key: Mapped[str | None] = mapped_column(
        String(255)
    )  # its operation's, of the payload
    parent_id: Mapped[Uuid | None] = mapped_column(ForeignKey("jobs.id", ondelete="SET NULL"))
    parent_step: Mapped[str | None] = mapped_column(String(80))
    parent_key: Mapped[str | None] = mapped_column(String(255))
    depth: Mapped[int] = mapped_column(server_default="0")  # parents above it
    awaits: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    has_children: Mapped[bool] = mapped_column(server_default="false")  # or had
    cancels_children: Mapped[bool] = mapped_column(server_default="false")  # those still live
    schedule_id: Mapped[Uuid | None]  # that made it; it may be deleted before its jobs
    tags: Mapped[list[str]] = mapped_column(ARRAY(String(64)), server_default="{}")
    callback_url: Mapped[str | None] = mapped_column(Text)
    request_id: Mapped[str | None] = mapped_column(String(128))
    trace_context: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    is_sensitive: Mapped[bool] = mapped_column(server_default="false")  # see sealing.py
    is_simulated: Mapped[bool] = mapped_column(server_default="false")
    reserved_cost: Mapped[Money] = mapped_column(server_default="0")  # EUR, until it ends or longer

    created_at: Mapped[CreatedAt]
    started_at: Mapped[Timestamp | None]
    finished_at: Mapped[Timestamp | None]


class StepState(StrEnum):
    """How far a checkpoint or an effect is."""

    INTENT = "intent"
    DONE = "done"
    UNDONE = "undone"


class JobStep(Base):
    """A checkpoint, an effect or a wait of a job: an intent, then its stored output.

    `kind` is `checkpoint`, `effect` or `wait`; the key tells apart repetitions within a step.
    `generation` counts how often it was undone with the step that it happened within.
    """

    __tablename__ = "job_steps"
    __table_args__ = (CheckConstraint("state IN ('intent', 'done', 'undone')", name="state"),)

    job_id: Mapped[Uuid] = mapped_column(
        ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True
    )
    step: Mapped[str] = mapped_column(String(80), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True, server_default="")
    kind: Mapped[str] = mapped_column(String(12), server_default="checkpoint")
    repeatable: Mapped[str | None] = mapped_column(String(12))  # effects: see effects.py
    state: Mapped[str] = mapped_column(String(8))
    within_step: Mapped[str | None] = mapped_column(String(80))
    within_key: Mapped[str | None] = mapped_column(String(255))
    generation: Mapped[int] = mapped_column(server_default="0")
    attempt: Mapped[int]
    call_timeout_s: Mapped[float | None]
    output: Mapped[Any] = mapped_column(JSONB(none_as_null=True), nullable=True)
    started_at: Mapped[CreatedAt]
    finished_at: Mapped[Timestamp | None]


class JobSignal(Base):
    """A message to a job; kept until the job's wait consumes it."""

    __tablename__ = "job_signals"
    __table_args__ = (Index("ix_job_signals_job", "job_id", "name", "id"),)

    id: Mapped[BigId]
    job_id: Mapped[Uuid] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(80))
    data: Mapped[Any] = mapped_column(JSONB(none_as_null=True), nullable=True)
    dedupe_key: Mapped[str | None] = mapped_column(String(255))
    sender_id: Mapped[int | None]
    created_at: Mapped[CreatedAt]
    consumed_at: Mapped[Timestamp | None]


class JobLog(Base):
    """A line a handler wrote about its job."""

    __tablename__ = "job_logs"
    __table_args__ = (Index("ix_job_logs_job", "job_id", "id"),)

    id: Mapped[BigId]
    job_id: Mapped[Uuid] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    attempt: Mapped[int]
    level: Mapped[str] = mapped_column(String(8))
    message: Mapped[str] = mapped_column(Text)
    fields: Mapped[Json] = mapped_column(server_default="{}")
    at: Mapped[Timestamp] = mapped_column(server_default=func.clock_timestamp())


class JobArtifact(Base):
    """A file a job made; the storage key holds the attempt, this row makes it visible."""

    __tablename__ = "job_artifacts"

    job_id: Mapped[Uuid] = mapped_column(
        ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str] = mapped_column(String(120), primary_key=True)
    attempt: Mapped[int]
    storage_key: Mapped[str] = mapped_column(Text)
    content_type: Mapped[str] = mapped_column(String(100))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))  # size and digest are those of its content
    sealed_key: Mapped[bytes | None] = mapped_column(LargeBinary)  # see sealed_files.py
    created_at: Mapped[CreatedAt]


class JobWatcher(Base):
    """A user of whose jobs' ends somebody wants to be told; kept by whoever listens."""

    __tablename__ = "job_watchers"

    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )


class OwedEnd(Base):
    """An end that `party` (telling.Party) did not hear, because it raised; told again when due."""

    __tablename__ = "job_ends_owed"
    __table_args__ = (Index("ix_job_ends_owed_due", "due_at"),)

    job_id: Mapped[Uuid] = mapped_column(
        ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True
    )
    party: Mapped[str] = mapped_column(String(12), primary_key=True)
    tries: Mapped[int] = mapped_column(server_default="1")
    tried_at: Mapped[CreatedAt]
    due_at: Mapped[Timestamp]


class IdempotencyKey(Base):
    """An accepted request's key: the same key and body is answered with the same jobs."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("ix_idempotency_keys_expiry", "expires_at"),)

    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    route: Mapped[str] = mapped_column(String(120), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    body_hmac: Mapped[str] = mapped_column(String(64))
    job_ids: Mapped[list[Uuid]] = mapped_column(ARRAY(UUID))
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[Timestamp]


class QueueState(Base):
    """A queue that an operator paused; a queue without a row runs."""

    __tablename__ = "queue_states"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    paused_at: Mapped[Timestamp | None]
    paused_by: Mapped[int | None]
