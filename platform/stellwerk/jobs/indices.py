"""Indices of `jobs` that serve lists and families; those of the engine stand in the model."""

from sqlalchemy import Index, text

ACTIVE = "status IN ('queued', 'running', 'waiting')"
# Dead letters: failed jobs that another attempt might have helped.
DEAD = (
    "(status = 'failed' AND (error ->> 'retryable' = 'true'"
    " OR 'JOB_POISONED' IN (error ->> 'code', error #>> '{details,cause}')))"
)
_IS_CHILD = "parent_id IS NOT NULL"
# For rows found by their ids: where statistics are older than a backlog the planner would rather
# walk an index of what is queued, and it has none of this.
IS_QUEUED = "jobs.status || '' = 'queued'"


# For lists, newest first, of one owner's jobs or of everybody's (lists.py). Most jobs are
# completed, so finding those needs no index of its own.
LISTED = (
    Index("ix_jobs_owner_id", "owner_id", text("id DESC")),
    Index("ix_jobs_operation", "operation", text("id DESC")),
    Index("ix_jobs_owner_operation", "owner_id", "operation", text("id DESC")),
    Index(
        "ix_jobs_active",
        "status",
        text("id DESC"),
        postgresql_include=["queue"],  # for metrics
        postgresql_where=text(ACTIVE),
    ),
    Index(
        "ix_jobs_owner_active",
        "owner_id",
        "status",
        text("id DESC"),
        postgresql_where=text(ACTIVE),
    ),
    Index("ix_jobs_ahead", "run_at", postgresql_where=text("status = 'queued'")),
    Index("ix_jobs_undoing", text("id DESC"), postgresql_where=text("ending IS NOT NULL")),
    Index("ix_jobs_failed", text("id DESC"), postgresql_where=text("status = 'failed'")),
    Index(
        "ix_jobs_owner_failed",
        "owner_id",
        text("id DESC"),
        postgresql_where=text("status = 'failed'"),
    ),
    Index(
        "ix_jobs_error_code",
        text("(error ->> 'code')"),
        text("id DESC"),
        postgresql_where=text("status = 'failed'"),
    ),
    Index("ix_jobs_dead", text("id DESC"), postgresql_where=text(DEAD)),
    Index("ix_jobs_cancelled", text("id DESC"), postgresql_where=text("status = 'cancelled'")),
    Index(
        "ix_jobs_owner_cancelled",
        "owner_id",
        text("id DESC"),
        postgresql_where=text("status = 'cancelled'"),
    ),
    Index("ix_jobs_tags", "tags", postgresql_using="gin", postgresql_where=text("tags <> '{}'")),
)
# A child is one of its parent's for ever; most of them have ended.
FAMILIES = (
    Index(
        "uq_jobs_child",
        "parent_id",
        "parent_step",
        "parent_key",
        unique=True,
        postgresql_where=text(_IS_CHILD),
    ),
    Index("ix_jobs_children", "parent_id", "id", postgresql_where=text(_IS_CHILD)),
    Index(
        "ix_jobs_live_children",
        "parent_id",
        postgresql_where=text(f"{_IS_CHILD} AND finished_at IS NULL"),
    ),
    Index("ix_jobs_cancels_children", "id", postgresql_where=text("cancels_children")),
)
