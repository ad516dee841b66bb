"""Indices of `jobs` that serve lists and families; those of the engine stand in the model."""

from sqlalchemy import Index, text

ACTIVE = "status IN ('queued', 'running', 'waiting')"
# Dead letters: failed jobs that another attempt might have helped.
DEAD = (
    "(status = 'failed' AND (error ->> 'retryable' = 'true'"
    " OR 'JOB_POISONED' IN (error ->> 'code', error #>> '{details,cause}')))"
)
# True of every job, and said by lists of everybody's alone: others cannot use its index.
ANYBODYS = "operation <> ''"
# The planner takes this for true of nearly every job. Of `tags <> '{}'` it knows how rare it is,
# and counts that twice beside `tags @> ...`: a common tag then looks so rare that it would rather
# fetch and sort all of its jobs than walk to the newest.
TAGGED = "cardinality(tags) <> 0"
# Zero of every job. What is ordered by one of these is found by walking an index that has it, or by
# sorting, but not by walking any other: the planner believes tagged and dead jobs to be spread
# evenly among all owners and states, and would rather walk the primary key.
OWNED_ZERO = "owner_id * 0"
TAGGED_ZERO = "cardinality(tags) * 0"
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
    Index("ix_jobs_dead", text("id DESC"), postgresql_where=text(f"{DEAD} AND {ANYBODYS}")),
    Index(
        "ix_jobs_owner_dead",
        "owner_id",
        text(f"({OWNED_ZERO}) DESC"),
        text("id DESC"),
        postgresql_where=text(DEAD),
    ),
    Index("ix_jobs_cancelled", text("id DESC"), postgresql_where=text("status = 'cancelled'")),
    Index(
        "ix_jobs_owner_cancelled",
        "owner_id",
        text("id DESC"),
        postgresql_where=text("status = 'cancelled'"),
    ),
    # A rare tag is looked up; the newest of many that have a common one are met by walking.
    Index("ix_jobs_tags", "tags", postgresql_using="gin", postgresql_where=text(TAGGED)),
    Index(
        "ix_jobs_tagged",
        text(f"({TAGGED_ZERO}) DESC"),
        text("id DESC"),
        postgresql_where=text(TAGGED),
    ),
    Index(
        "ix_jobs_owner_tagged",
        "owner_id",
        text(f"({OWNED_ZERO}) DESC"),
        text("id DESC"),
        postgresql_where=text(TAGGED),
    ),
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
