"""The ledger, people and the studio."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("actor_kind", sa.String(length=20), nullable=False),
        sa.Column("actor", sa.Uuid(), nullable=True),
        sa.Column("subject", sa.Uuid(), nullable=True),
        sa.Column("target", sa.String(length=200), nullable=False),
        sa.Column("origin_key", sa.Uuid(), nullable=True),
        sa.Column("origin", sa.LargeBinary(), nullable=True),
        sa.Column("details_key", sa.Uuid(), nullable=True),
        sa.Column("details", sa.LargeBinary(), nullable=True),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_audit_entries")),
    )
    op.execute(
        "CREATE FUNCTION audit_entries_stay() RETURNS trigger LANGUAGE plpgsql AS $$\nBEGIN\n    RAISE EXCEPTION 'audit_entries is append-only' USING ERRCODE = 'restrict_violation';\nEND $$"
    )
    op.execute(
        "CREATE TRIGGER audit_entries_stay\nBEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries\nFOR EACH STATEMENT EXECUTE FUNCTION audit_entries_stay()"
    )
    op.create_index(
        "ix_audit_entries_action", "audit_entries", ["action", "sequence"], unique=False
    )
    op.create_index("ix_audit_entries_actor", "audit_entries", ["actor", "sequence"], unique=False)
    op.create_index("ix_audit_entries_at", "audit_entries", ["at"], unique=False)
    op.create_index(
        "ix_audit_entries_subject", "audit_entries", ["subject", "sequence"], unique=False
    )
    op.create_index(
        "ix_audit_entries_target",
        "audit_entries",
        ["target", "at"],
        unique=False,
        postgresql_where=sa.text("target <> ''"),
    )
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("mark", sa.String(length=64), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_audit_head_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )
    op.create_table(
        "call_trunks",
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("holder", sa.String(length=200), nullable=True),
        sa.Column("fence", sa.Integer(), server_default="0", nullable=False),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_simulated", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("is_connected", sa.Boolean(), server_default="false", nullable=False),
        sa.Column(
            "gateways", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False
        ),
        sa.Column("message", sa.Text(), server_default="", nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("breaker", sa.String(length=10), server_default="closed", nullable=False),
        sa.Column(
            "failures", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False
        ),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "breaker IN ('closed', 'open', 'half_open')", name=op.f("ck_call_trunks_breaker")
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_call_trunks")),
    )
    op.create_table(
        "job_tombstones",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=True),
        sa.Column("storage_keys", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column(
            "purged_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_job_tombstones")),
    )
    op.create_index(
        "ix_job_tombstones_files",
        "job_tombstones",
        ["job_id"],
        unique=False,
        postgresql_where=sa.text("storage_keys IS NOT NULL"),
    )
    op.create_index("ix_job_tombstones_purged", "job_tombstones", ["purged_at"], unique=False)
    op.create_table(
        "queue_states",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_by", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_queue_states")),
    )
    op.create_table(
        "signing_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kid", sa.String(length=16), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signing_keys")),
        sa.UniqueConstraint("kid", name=op.f("uq_signing_keys_kid")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("username", sa.String(length=64), nullable=False),
        sa.Column("full_name", sa.String(length=200), server_default="", nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=10), server_default="user", nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("email_verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("subscription_tier", sa.String(length=10), server_default="free", nullable=False),
        sa.Column("channels_limit", sa.Integer(), nullable=True),
        sa.Column("daily_video_limit", sa.Integer(), nullable=True),
        sa.Column("monthly_budget", sa.Numeric(precision=14, scale=6), nullable=True),
        sa.Column("is_beta_user", sa.Boolean(), server_default="false", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("last_signed_in_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("role IN ('user', 'operator', 'admin')", name=op.f("ck_users_role")),
        sa.CheckConstraint(
            "subscription_tier IN ('free', 'pro', 'enterprise')", name=op.f("ck_users_tier")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
    )
    op.create_index("ix_users_updated", "users", ["updated_at"], unique=False)
    op.create_index("uq_users_email", "users", [sa.literal_column("lower(email)")], unique=True)
    op.create_index(
        "uq_users_username", "users", [sa.literal_column("lower(username)")], unique=True
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("prefix", sa.String(length=16), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column(
            "scopes", postgresql.ARRAY(sa.String(length=80)), server_default="{}", nullable=False
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_from", sa.String(length=45), nullable=True),
        sa.Column("replaced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("replaced_by", sa.Uuid(), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_api_keys_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_keys_key_hash")),
    )
    op.create_index(
        "ix_api_keys_replaced",
        "api_keys",
        ["replaced_at"],
        unique=False,
        postgresql_where=sa.text("replaced_at IS NOT NULL"),
    )
    op.create_index(
        "ix_api_keys_revoked",
        "api_keys",
        ["revoked_at"],
        unique=False,
        postgresql_where=sa.text("revoked_at IS NOT NULL"),
    )
    op.create_index("ix_api_keys_user", "api_keys", ["user_id"], unique=False)
    op.create_index(
        "uq_api_keys_name",
        "api_keys",
        ["user_id", "name"],
        unique=True,
        postgresql_where=sa.text("revoked_at IS NULL AND replaced_at IS NULL"),
    )
    op.create_table(
        "audit_subject_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(length=40), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "(user_id IS NULL) = (name IS NOT NULL)", name=op.f("ck_audit_subject_keys_holder")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name=op.f("fk_audit_subject_keys_user_id_users"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_subject_keys")),
    )
    op.create_index(
        "uq_audit_subject_keys_name",
        "audit_subject_keys",
        ["name"],
        unique=True,
        postgresql_where=sa.text("name IS NOT NULL"),
    )
    op.create_index("uq_audit_subject_keys_user", "audit_subject_keys", ["user_id"], unique=True)
    op.create_table(
        "channels",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("youtube_channel_id", sa.String(length=64), nullable=True),
        sa.Column("niche", sa.String(length=100), server_default="", nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("auto_publish", sa.Boolean(), server_default="false", nullable=False),
        sa.Column(
            "publish_schedule",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=True,
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_channels_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channels")),
    )
    op.create_index(
        "ix_channels_user", "channels", ["user_id", sa.literal_column("id DESC")], unique=False
    )
    op.create_table(
        "configuration_changes",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column(
            "value", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column(
            "changed_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("changed_by", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["changed_by"],
            ["users.id"],
            name=op.f("fk_configuration_changes_changed_by_users"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("name", "revision", name=op.f("pk_configuration_changes")),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("route", sa.String(length=120), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("body_hmac", sa.String(length=64), nullable=False),
        sa.Column("job_ids", postgresql.ARRAY(sa.UUID()), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name=op.f("fk_idempotency_keys_owner_id_users")
        ),
        sa.PrimaryKeyConstraint("owner_id", "route", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index("ix_idempotency_keys_expiry", "idempotency_keys", ["expires_at"], unique=False)
    op.create_table(
        "job_costs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=True),
        sa.Column("step", sa.String(length=80), nullable=False),
        sa.Column("provider", sa.String(length=40), nullable=False),
        sa.Column("unit", sa.String(length=40), nullable=False),
        sa.Column("quantity", sa.Numeric(precision=18, scale=6), nullable=False),
        sa.Column("unit_price", sa.Numeric(precision=18, scale=12), nullable=False),
        sa.Column("amount", sa.Numeric(precision=14, scale=6), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name=op.f("fk_job_costs_owner_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_costs")),
        sa.UniqueConstraint(
            "job_id", "attempt", "sequence", name=op.f("uq_job_costs_job_id_attempt_sequence")
        ),
    )
    op.create_index("ix_job_costs_owner", "job_costs", ["owner_id", "created_at"], unique=False)
    op.create_table(
        "job_watchers",
        sa.Column("user_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name=op.f("fk_job_watchers_user_id_users"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_job_watchers")),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("operation", sa.String(length=80), nullable=False),
        sa.Column("operation_version", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=True),
        sa.Column("queue", sa.String(length=40), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("status", sa.String(length=10), server_default="queued", nullable=False),
        sa.Column(
            "result", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column(
            "error", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column(
            "ending", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("crashes", sa.Integer(), server_default="0", nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("progress", sa.Integer(), server_default="0", nullable=False),
        sa.Column("message", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "run_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_token", sa.Uuid(), nullable=True),
        sa.Column("worker", sa.String(length=120), nullable=True),
        sa.Column("cancel_requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("wait_signal", sa.String(length=80), nullable=True),
        sa.Column("wait_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("unique_key", sa.String(length=255), nullable=True),
        sa.Column("operation_key", sa.String(length=255), nullable=True),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("parent_step", sa.String(length=80), nullable=True),
        sa.Column("parent_key", sa.String(length=255), nullable=True),
        sa.Column("depth", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "awaits", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column("has_children", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("cancels_children", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("schedule_id", sa.Uuid(), nullable=True),
        sa.Column(
            "tags", postgresql.ARRAY(sa.String(length=64)), server_default="{}", nullable=False
        ),
        sa.Column("callback_url", sa.Text(), nullable=True),
        sa.Column("request_id", sa.String(length=128), nullable=True),
        sa.Column(
            "trace_context",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=True,
        ),
        sa.Column("is_sensitive", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("is_simulated", sa.Boolean(), server_default="false", nullable=False),
        sa.Column(
            "reserved_cost", sa.Numeric(precision=14, scale=6), server_default="0", nullable=False
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(finished_at IS NULL) = (status IN ('queued', 'running', 'waiting'))",
            name=op.f("ck_jobs_finished"),
        ),
        sa.CheckConstraint(
            "status IN ('queued', 'running', 'waiting', 'completed', 'failed', 'cancelled')",
            name=op.f("ck_jobs_status"),
        ),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_jobs_owner_id_users")),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["jobs.id"], name=op.f("fk_jobs_parent_id_jobs"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        postgresql_with={"fillfactor": "80", "autovacuum_vacuum_scale_factor": "0.02"},
    )
    op.create_index(
        "ix_jobs_active",
        "jobs",
        ["status", sa.literal_column("id DESC")],
        unique=False,
        postgresql_include=["queue"],
        postgresql_where=sa.text("status IN ('queued', 'running', 'waiting')"),
    )
    op.create_index(
        "ix_jobs_ahead",
        "jobs",
        ["run_at"],
        unique=False,
        postgresql_where=sa.text("status = 'queued'"),
    )
    op.create_index(
        "ix_jobs_cancelled",
        "jobs",
        [sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("status = 'cancelled'"),
    )
    op.create_index(
        "ix_jobs_cancels_children",
        "jobs",
        ["id"],
        unique=False,
        postgresql_where=sa.text("cancels_children"),
    )
    op.create_index(
        "ix_jobs_children",
        "jobs",
        ["parent_id", "id"],
        unique=False,
        postgresql_where=sa.text("parent_id IS NOT NULL"),
    )
    op.create_index(
        "ix_jobs_dead",
        "jobs",
        [sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text(
            "(status = 'failed' AND (error ->> 'retryable' = 'true' OR 'JOB_POISONED' IN (error ->> 'code', error #>> '{details,cause}'))) AND operation <> ''"
        ),
    )
    op.create_index(
        "ix_jobs_due",
        "jobs",
        ["queue", "run_at"],
        unique=False,
        postgresql_where=sa.text("status = 'queued'"),
    )
    op.create_index(
        "ix_jobs_error_code",
        "jobs",
        [sa.literal_column("(error ->> 'code')"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("status = 'failed'"),
    )
    op.create_index(
        "ix_jobs_failed",
        "jobs",
        [sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("status = 'failed'"),
    )
    op.create_index(
        "ix_jobs_lease",
        "jobs",
        ["lease_until"],
        unique=False,
        postgresql_where=sa.text("status = 'running'"),
    )
    op.create_index(
        "ix_jobs_live_children",
        "jobs",
        ["parent_id"],
        unique=False,
        postgresql_where=sa.text("parent_id IS NOT NULL AND finished_at IS NULL"),
    )
    op.create_index(
        "ix_jobs_operation", "jobs", ["operation", sa.literal_column("id DESC")], unique=False
    )
    op.create_index(
        "ix_jobs_owner_active",
        "jobs",
        ["owner_id", "status", sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("status IN ('queued', 'running', 'waiting')"),
    )
    op.create_index(
        "ix_jobs_owner_cancelled",
        "jobs",
        ["owner_id", sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("status = 'cancelled'"),
    )
    op.create_index(
        "ix_jobs_owner_dead",
        "jobs",
        ["owner_id", sa.literal_column("(owner_id * 0) DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text(
            "(status = 'failed' AND (error ->> 'retryable' = 'true' OR 'JOB_POISONED' IN (error ->> 'code', error #>> '{details,cause}')))"
        ),
    )
    op.create_index(
        "ix_jobs_owner_failed",
        "jobs",
        ["owner_id", sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("status = 'failed'"),
    )
    op.create_index(
        "ix_jobs_owner_id", "jobs", ["owner_id", sa.literal_column("id DESC")], unique=False
    )
    op.create_index(
        "ix_jobs_owner_operation",
        "jobs",
        ["owner_id", "operation", sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index(
        "ix_jobs_owner_tagged",
        "jobs",
        ["owner_id", sa.literal_column("(owner_id * 0) DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("cardinality(tags) <> 0"),
    )
    op.create_index(
        "ix_jobs_published",
        "jobs",
        ["queue", "published_at"],
        unique=False,
        postgresql_where=sa.text("status = 'queued' AND published_at IS NOT NULL"),
    )
    op.create_index(
        "ix_jobs_reserved",
        "jobs",
        ["owner_id"],
        unique=False,
        postgresql_where=sa.text("reserved_cost > 0"),
    )
    op.create_index(
        "ix_jobs_schedule_active",
        "jobs",
        ["schedule_id"],
        unique=False,
        postgresql_where=sa.text(
            "schedule_id IS NOT NULL AND status IN ('queued', 'running', 'waiting')"
        ),
    )
    op.create_index(
        "ix_jobs_sensitive", "jobs", ["id"], unique=False, postgresql_where=sa.text("is_sensitive")
    )
    op.create_index(
        "ix_jobs_tagged",
        "jobs",
        [sa.literal_column("(cardinality(tags) * 0) DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("cardinality(tags) <> 0"),
    )
    op.create_index(
        "ix_jobs_tags",
        "jobs",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_where=sa.text("cardinality(tags) <> 0"),
    )
    op.create_index(
        "ix_jobs_turns",
        "jobs",
        [
            "queue",
            sa.literal_column("coalesce(owner_id, 0)"),
            "operation",
            sa.literal_column("least(attempt, 1)"),
            "run_at",
            "id",
        ],
        unique=False,
        postgresql_where=sa.text("status = 'queued' AND published_at IS NULL"),
    )
    op.create_index(
        "ix_jobs_undoing",
        "jobs",
        [sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("ending IS NOT NULL"),
    )
    op.create_index(
        "ix_jobs_wait",
        "jobs",
        ["wait_until"],
        unique=False,
        postgresql_where=sa.text("status = 'waiting'"),
    )
    op.create_index(
        "uq_jobs_child",
        "jobs",
        ["parent_id", "parent_step", "parent_key"],
        unique=True,
        postgresql_where=sa.text("parent_id IS NOT NULL"),
    )
    op.create_index(
        "uq_jobs_operation_key",
        "jobs",
        ["operation", "operation_key"],
        unique=True,
        postgresql_where=sa.text(
            "operation_key IS NOT NULL AND status IN ('queued', 'running', 'waiting')"
        ),
    )
    op.create_index(
        "uq_jobs_unique_key",
        "jobs",
        ["operation", sa.literal_column("coalesce(owner_id, 0)"), "unique_key"],
        unique=True,
        postgresql_where=sa.text(
            "unique_key IS NOT NULL AND status IN ('queued', 'running', 'waiting')"
        ),
    )
    op.create_table(
        "mailed_links",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "purpose IN ('verify_email', 'reset_password', 'confirm_request')",
            name=op.f("ck_mailed_links_purpose"),
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name=op.f("fk_mailed_links_user_id_users"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_mailed_links")),
    )
    op.create_index("ix_mailed_links_user", "mailed_links", ["user_id"], unique=False)
    op.create_table(
        "oauth_identities",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("provider", sa.String(length=20), nullable=False),
        sa.Column("issuer", sa.String(length=255), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("made_account", sa.Boolean(), server_default="false", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name=op.f("fk_oauth_identities_user_id_users"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oauth_identities")),
    )
    op.create_index("ix_oauth_identities_user", "oauth_identities", ["user_id"], unique=False)
    op.create_index(
        "uq_oauth_identities_subject",
        "oauth_identities",
        ["provider", "issuer", "subject"],
        unique=True,
    )
    op.create_table(
        "oauth_revocations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("provider", sa.String(length=20), nullable=False),
        sa.Column("account_id", sa.String(length=255), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name=op.f("fk_oauth_revocations_user_id_users"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oauth_revocations")),
    )
    op.create_index("ix_oauth_revocations_user", "oauth_revocations", ["user_id"], unique=False)
    op.create_table(
        "privacy_requests",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("status", sa.String(length=10), server_default="pending", nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("is_available", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("receipt_hash", sa.String(length=64), nullable=True),
        sa.Column(
            "counts", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False
        ),
        sa.Column("language", sa.String(length=2), server_default="en", nullable=False),
        sa.Column("address", sa.LargeBinary(), nullable=True),
        sa.Column(
            "receipt", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('export', 'erase')", name=op.f("ck_privacy_requests_kind")),
        sa.CheckConstraint(
            "status IN ('pending', 'running', 'completed', 'failed', 'cancelled')",
            name=op.f("ck_privacy_requests_status"),
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name=op.f("fk_privacy_requests_user_id_users"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_privacy_requests")),
        sa.UniqueConstraint("receipt_hash", name=op.f("uq_privacy_requests_receipt_hash")),
    )
    op.create_index(
        "ix_privacy_requests_exports",
        "privacy_requests",
        ["finished_at"],
        unique=False,
        postgresql_where=sa.text("kind = 'export' AND is_available"),
    )
    op.create_index(
        "ix_privacy_requests_user",
        "privacy_requests",
        ["user_id", sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index(
        "uq_privacy_requests_open",
        "privacy_requests",
        ["user_id", "kind"],
        unique=True,
        postgresql_where=sa.text("finished_at IS NULL"),
    )
    op.create_table(
        "schedules",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("operation", sa.String(length=80), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "tags", postgresql.ARRAY(sa.String(length=64)), server_default="{}", nullable=False
        ),
        sa.Column("queue", sa.String(length=40), nullable=True),
        sa.Column("callback_url", sa.Text(), nullable=True),
        sa.Column("cron", sa.String(length=100), nullable=True),
        sa.Column("time_zone", sa.String(length=64), server_default="UTC", nullable=False),
        sa.Column("interval_s", sa.Integer(), nullable=True),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("overlap", sa.String(length=8), nullable=False),
        sa.Column("misfire", sa.String(length=8), nullable=False),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_fire_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("misfire IN ('skip', 'run_once')", name=op.f("ck_schedules_misfire")),
        sa.CheckConstraint(
            "overlap IN ('skip', 'queue', 'allow')", name=op.f("ck_schedules_overlap")
        ),
        sa.CheckConstraint(
            "(cron IS NULL) <> (interval_s IS NULL)", name=op.f("ck_schedules_timing")
        ),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name=op.f("fk_schedules_owner_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedules")),
    )
    op.create_index(
        "ix_schedules_due",
        "schedules",
        ["next_fire_at"],
        unique=False,
        postgresql_where=sa.text("next_fire_at IS NOT NULL"),
    )
    op.create_index(
        "ix_schedules_owner", "schedules", ["owner_id", sa.literal_column("id DESC")], unique=False
    )
    op.create_table(
        "user_sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("audience", sa.String(length=10), server_default="api", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "audience IN ('api', 'telephony')", name=op.f("ck_user_sessions_audience")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name=op.f("fk_user_sessions_user_id_users"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_sessions")),
    )
    op.create_index(
        "ix_user_sessions_ended",
        "user_sessions",
        ["ended_at"],
        unique=False,
        postgresql_where=sa.text("ended_at IS NOT NULL"),
    )
    op.create_index("ix_user_sessions_user", "user_sessions", ["user_id"], unique=False)
    op.create_table(
        "webhook_endpoints",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("description", sa.String(length=200), server_default="", nullable=False),
        sa.Column(
            "event_types",
            postgresql.ARRAY(sa.String(length=40)),
            server_default="{}",
            nullable=False,
        ),
        sa.Column(
            "operations",
            postgresql.ARRAY(sa.String(length=80)),
            server_default="{}",
            nullable=False,
        ),
        sa.Column("is_active", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("disabled_reason", sa.String(length=200), nullable=True),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["owner_id"],
            ["users.id"],
            name=op.f("fk_webhook_endpoints_owner_id_users"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoints")),
    )
    op.create_index(
        "ix_webhook_endpoints_owner",
        "webhook_endpoints",
        ["owner_id", sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_table(
        "calls",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("provider", sa.String(length=20), nullable=False),
        sa.Column("provider_ref", sa.String(length=200), nullable=True),
        sa.Column("to_number", sa.LargeBinary(), nullable=True),
        sa.Column("to_hash", sa.String(length=64), nullable=True),
        sa.Column("first_number", sa.LargeBinary(), nullable=True),
        sa.Column("first_hash", sa.String(length=64), nullable=True),
        sa.Column("has_first", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("caller_id", sa.LargeBinary(), nullable=True),
        sa.Column("region", sa.String(length=3), nullable=True),
        sa.Column("price_prefix", sa.String(length=16), server_default="", nullable=False),
        sa.Column(
            "price_eur", sa.Numeric(precision=14, scale=6), server_default="0", nullable=False
        ),
        sa.Column(
            "first_price_eur", sa.Numeric(precision=14, scale=6), server_default="0", nullable=False
        ),
        sa.Column("ring_timeout_s", sa.Integer(), nullable=False),
        sa.Column("max_duration_s", sa.Integer(), nullable=False),
        sa.Column("is_recorded", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("is_simulated", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("state", sa.String(length=10), server_default="queued", nullable=False),
        sa.Column("is_uncertain", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("cause", sa.String(length=60), nullable=True),
        sa.Column("refusal", sa.String(length=40), nullable=True),
        sa.Column("dials", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dial_after", sa.DateTime(timezone=True), nullable=True),
        sa.Column("intended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("bridge_intended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ringing_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("hangup_asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("hangup_sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("duration_s", sa.Integer(), nullable=True),
        sa.Column("billable_s", sa.Integer(), nullable=True),
        sa.Column("cost_eur", sa.Numeric(precision=14, scale=6), nullable=True),
        sa.CheckConstraint(
            "state IN ('queued', 'dialing', 'ringing', 'answered', 'completed', 'busy', 'no_answer', 'failed', 'cancelled')",
            name=op.f("ck_calls_state"),
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_calls_job_id_jobs"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_calls_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calls")),
        sa.UniqueConstraint("job_id", name=op.f("uq_calls_job_id")),
    )
    op.create_index(
        "ix_calls_asked",
        "calls",
        ["provider", "asked_at"],
        unique=False,
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_index("ix_calls_day", "calls", ["user_id", "created_at"], unique=False)
    op.create_index(
        "ix_calls_ended",
        "calls",
        ["ended_at"],
        unique=False,
        postgresql_where=sa.text("ended_at IS NOT NULL"),
    )
    op.create_index(
        "ix_calls_erased",
        "calls",
        ["ended_at"],
        unique=False,
        postgresql_where=sa.text(
            "user_id IS NULL AND (to_number IS NOT NULL OR provider_ref IS NOT NULL)"
        ),
    )
    op.create_index(
        "ix_calls_left_up",
        "calls",
        ["provider", "hangup_asked_at"],
        unique=False,
        postgresql_where=sa.text("hangup_asked_at IS NOT NULL AND hangup_sent_at IS NULL"),
    )
    op.create_index(
        "ix_calls_named",
        "calls",
        ["ended_at"],
        unique=False,
        postgresql_where=sa.text("to_number IS NOT NULL OR provider_ref IS NOT NULL"),
    )
    op.create_index(
        "ix_calls_open",
        "calls",
        ["user_id"],
        unique=False,
        postgresql_where=sa.text("state IN ('queued', 'dialing', 'ringing', 'answered')"),
    )
    op.create_index(
        "ix_calls_to", "calls", ["user_id", "to_hash", sa.literal_column("id DESC")], unique=False
    )
    op.create_index(
        "ix_calls_under_way",
        "calls",
        ["provider", "id"],
        unique=False,
        postgresql_where=sa.text("state IN ('dialing', 'ringing', 'answered')"),
    )
    op.create_index(
        "ix_calls_user", "calls", ["user_id", sa.literal_column("id DESC")], unique=False
    )
    op.create_table(
        "job_artifacts",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("storage_key", sa.Text(), nullable=False),
        sa.Column("content_type", sa.String(length=100), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("sealed_key", sa.LargeBinary(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_job_artifacts_job_id_jobs"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", "name", name=op.f("pk_job_artifacts")),
    )
    op.create_table(
        "job_ends_owed",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("party", sa.String(length=12), nullable=False),
        sa.Column("tries", sa.Integer(), server_default="1", nullable=False),
        sa.Column(
            "tried_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_job_ends_owed_job_id_jobs"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", "party", name=op.f("pk_job_ends_owed")),
    )
    op.create_index("ix_job_ends_owed_due", "job_ends_owed", ["due_at"], unique=False)
    op.create_table(
        "job_logs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("level", sa.String(length=8), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column(
            "fields", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False
        ),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_job_logs_job_id_jobs"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_logs")),
    )
    op.create_index("ix_job_logs_job", "job_logs", ["job_id", "id"], unique=False)
    op.create_table(
        "job_signals",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column(
            "data", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column("dedupe_key", sa.String(length=255), nullable=True),
        sa.Column("sender_id", sa.Integer(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("consumed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_job_signals_job_id_jobs"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_signals")),
    )
    op.create_index("ix_job_signals_job", "job_signals", ["job_id", "name", "id"], unique=False)
    op.create_table(
        "job_steps",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("step", sa.String(length=80), nullable=False),
        sa.Column("key", sa.String(length=255), server_default="", nullable=False),
        sa.Column("kind", sa.String(length=12), server_default="checkpoint", nullable=False),
        sa.Column("repeatable", sa.String(length=12), nullable=True),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("within_step", sa.String(length=80), nullable=True),
        sa.Column("within_key", sa.String(length=255), nullable=True),
        sa.Column("generation", sa.Integer(), server_default="0", nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("call_timeout_s", sa.Double(), nullable=True),
        sa.Column(
            "output", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('intent', 'done', 'undone')", name=op.f("ck_job_steps_state")
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_job_steps_job_id_jobs"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", "step", "key", name=op.f("pk_job_steps")),
    )
    op.create_table(
        "oauth_connections",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("provider", sa.String(length=20), nullable=False),
        sa.Column("channel_id", sa.Integer(), nullable=True),
        sa.Column("account_id", sa.String(length=255), nullable=False),
        sa.Column("account_email", sa.String(length=254), nullable=True),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("status", sa.String(length=20), server_default="active", nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("generation", sa.Integer(), server_default="1", nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("renewal_began_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "connected_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("last_refreshed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(status = 'active') = (sealed IS NOT NULL)", name=op.f("ck_oauth_connections_sealed")
        ),
        sa.CheckConstraint(
            "status IN ('active', 'needs_reconnect')", name=op.f("ck_oauth_connections_status")
        ),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channels.id"],
            name=op.f("fk_oauth_connections_channel_id_channels"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name=op.f("fk_oauth_connections_user_id_users"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oauth_connections")),
    )
    op.create_index(
        "ix_oauth_connections_user",
        "oauth_connections",
        ["user_id", sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index(
        "uq_oauth_connections_channel",
        "oauth_connections",
        ["channel_id", "provider"],
        unique=True,
        postgresql_where=sa.text("channel_id IS NOT NULL"),
    )
    op.create_index(
        "uq_oauth_connections_user",
        "oauth_connections",
        ["user_id", "provider"],
        unique=True,
        postgresql_where=sa.text("channel_id IS NULL"),
    )
    op.create_table(
        "oauth_states",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("provider", sa.String(length=20), nullable=False),
        sa.Column("channel_id", sa.Integer(), nullable=True),
        sa.Column("state_hash", sa.String(length=64), nullable=False),
        sa.Column("nonce_hash", sa.String(length=64), nullable=False),
        sa.Column("ticket_hash", sa.String(length=64), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("password_mark", sa.String(length=64), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("return_url", sa.Text(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channels.id"],
            name=op.f("fk_oauth_states_channel_id_channels"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name=op.f("fk_oauth_states_user_id_users"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oauth_states")),
    )
    op.create_index("ix_oauth_states_expires", "oauth_states", ["expires_at"], unique=False)
    op.create_index("ix_oauth_states_user", "oauth_states", ["user_id"], unique=False)
    op.create_index("uq_oauth_states_state", "oauth_states", ["state_hash"], unique=True)
    op.create_index("uq_oauth_states_ticket", "oauth_states", ["ticket_hash"], unique=True)
    op.create_table(
        "refresh_tokens",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("spent_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["user_sessions.id"],
            name=op.f("fk_refresh_tokens_session_id_user_sessions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_refresh_tokens")),
    )
    op.create_index("ix_refresh_tokens_session", "refresh_tokens", ["session_id"], unique=False)
    op.create_table(
        "schedule_fires",
        sa.Column("schedule_id", sa.Uuid(), nullable=False),
        sa.Column("fire_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.String(length=10), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("missed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("by_hand", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "outcome IN ('submitted', 'waiting', 'skipped', 'missed', 'refused')",
            name=op.f("ck_schedule_fires_outcome"),
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_schedule_fires_job_id_jobs"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["schedule_id"],
            ["schedules.id"],
            name=op.f("fk_schedule_fires_schedule_id_schedules"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("schedule_id", "fire_at", name=op.f("pk_schedule_fires")),
    )
    op.create_index("ix_schedule_fires_created", "schedule_fires", ["created_at"], unique=False)
    op.create_index(
        "ix_schedule_fires_job",
        "schedule_fires",
        ["job_id"],
        unique=False,
        postgresql_where=sa.text("job_id IS NOT NULL"),
    )
    op.create_index(
        "ix_schedule_fires_waiting",
        "schedule_fires",
        ["schedule_id", "fire_at"],
        unique=False,
        postgresql_where=sa.text("outcome = 'waiting'"),
    )
    op.create_table(
        "videos",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("channel_id", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("topic", sa.String(length=200), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "tags", postgresql.ARRAY(sa.String(length=64)), server_default="{}", nullable=False
        ),
        sa.Column("language", sa.String(length=35), nullable=False),
        sa.Column("status", sa.String(length=10), server_default="queued", nullable=False),
        sa.Column("youtube_video_id", sa.String(length=32), nullable=True),
        sa.Column("duration_s", sa.Double(), nullable=True),
        sa.Column("quality_score", sa.Double(), nullable=True),
        sa.Column(
            "quality_parts",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=True,
        ),
        sa.Column("auto_publish", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("publish_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('queued', 'processing', 'ready', 'published', 'failed')",
            name=op.f("ck_videos_status"),
        ),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name=op.f("fk_videos_channel_id_channels")
        ),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_videos_job_id_jobs")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_videos_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_videos")),
        sa.UniqueConstraint("job_id", name=op.f("uq_videos_job_id")),
    )
    op.create_index(
        "ix_videos_channel", "videos", ["channel_id", sa.literal_column("id DESC")], unique=False
    )
    op.create_index(
        "ix_videos_user", "videos", ["user_id", sa.literal_column("id DESC")], unique=False
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("endpoint_id", sa.Uuid(), nullable=True),
        sa.Column("callback_url", sa.Text(), nullable=True),
        sa.Column("event_type", sa.String(length=40), nullable=False),
        sa.Column("about_job_id", sa.Uuid(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=10), server_default="pending", nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('pending', 'delivered', 'failed')",
            name=op.f("ck_webhook_deliveries_status"),
        ),
        sa.CheckConstraint(
            "(endpoint_id IS NULL) = (callback_url IS NOT NULL)",
            name=op.f("ck_webhook_deliveries_receiver"),
        ),
        sa.ForeignKeyConstraint(
            ["endpoint_id"],
            ["webhook_endpoints.id"],
            name=op.f("fk_webhook_deliveries_endpoint_id_webhook_endpoints"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["owner_id"],
            ["users.id"],
            name=op.f("fk_webhook_deliveries_owner_id_users"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
    )
    op.create_index(
        "ix_webhook_deliveries_endpoint",
        "webhook_deliveries",
        ["endpoint_id", sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index(
        "ix_webhook_deliveries_owner",
        "webhook_deliveries",
        ["owner_id", sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_table(
        "webhook_secrets",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("endpoint_id", sa.Uuid(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["endpoint_id"],
            ["webhook_endpoints.id"],
            name=op.f("fk_webhook_secrets_endpoint_id_webhook_endpoints"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["owner_id"],
            ["users.id"],
            name=op.f("fk_webhook_secrets_owner_id_users"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_secrets")),
    )
    op.create_index("ix_webhook_secrets_endpoint", "webhook_secrets", ["endpoint_id"], unique=False)
    op.create_index("ix_webhook_secrets_owner", "webhook_secrets", ["owner_id"], unique=False)
    op.create_index(
        "uq_webhook_secrets_callbacks",
        "webhook_secrets",
        ["owner_id"],
        unique=True,
        postgresql_where=sa.text("endpoint_id IS NULL AND expires_at IS NULL"),
    )
    op.create_index(
        "uq_webhook_secrets_endpoint",
        "webhook_secrets",
        ["endpoint_id"],
        unique=True,
        postgresql_where=sa.text("expires_at IS NULL"),
    )
    op.create_table(
        "call_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("call_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("leg", sa.String(length=5), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("cause", sa.String(length=60), nullable=True),
        sa.Column("billable_s", sa.Integer(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["call_id"], ["calls.id"], name=op.f("fk_call_events_call_id_calls"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call_events")),
    )
    op.create_index("uq_call_events_key", "call_events", ["call_id", "key"], unique=True)
    op.create_table(
        "webhook_attempts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("status_code", sa.Integer(), nullable=True),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(length=300), nullable=True),
        sa.ForeignKeyConstraint(
            ["delivery_id"],
            ["webhook_deliveries.id"],
            name=op.f("fk_webhook_attempts_delivery_id_webhook_deliveries"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_attempts")),
    )
    op.create_index(
        "ix_webhook_attempts_delivery", "webhook_attempts", ["delivery_id", "id"], unique=False
    )

    op.create_table(
        "module_slots",
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("instance_id", sa.String(length=32), nullable=False),
        sa.Column("module_name", sa.String(length=40), nullable=False),
        sa.Column(
            "claimed_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("slot", name=op.f("pk_module_slots")),
        sa.UniqueConstraint("instance_id", name=op.f("uq_module_slots_instance_id")),
    )
    op.create_table(
        "module_repositories",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=5), nullable=False),
        sa.Column("location", sa.String(length=2000), nullable=False),
        sa.Column("public_key", sa.String(length=44), nullable=True),
        sa.Column("modules", sa.Integer(), server_default="0", nullable=False),
        sa.Column("versions", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "categories",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default="{}",
            nullable=False,
        ),
        sa.Column("etag", sa.String(length=200), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("synced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("kind IN ('file', 'https')", name=op.f("ck_module_repositories_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_module_repositories")),
        sa.UniqueConstraint("name", name=op.f("uq_module_repositories_name")),
    )
    op.create_table(
        "module_offers",
        sa.Column("repository_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("version", sa.String(length=100), nullable=False),
        sa.Column("place", sa.String(length=100, collation="C"), nullable=False),
        sa.Column("newer", sa.Integer(), nullable=False),
        sa.Column("category", sa.String(length=100), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("entry", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["repository_id"],
            ["module_repositories.id"],
            name=op.f("fk_module_offers_repository_id_module_repositories"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("repository_id", "name", "version", name=op.f("pk_module_offers")),
    )
    op.create_index("ix_module_offers_name", "module_offers", ["name"], unique=False)
    op.create_index(
        "ix_module_offers_place",
        "module_offers",
        ["place"],
        unique=False,
        postgresql_where=sa.text("newer = 0"),
    )
    op.create_table(
        "modules",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("primary_instance_id", sa.String(length=32), nullable=False),
        sa.Column("repository_id", sa.Integer(), nullable=True),
        sa.Column("version", sa.String(length=100), nullable=False),
        sa.Column("entry", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["repository_id"],
            ["module_repositories.id"],
            name=op.f("fk_modules_repository_id_module_repositories"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_modules")),
    )
    op.create_table(
        "module_instances",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("module_name", sa.String(length=40), nullable=False),
        sa.Column("version", sa.String(length=100), nullable=False),
        sa.Column("entry", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("generation", sa.Integer(), server_default="1", nullable=False),
        sa.Column("service", sa.String(length=100), nullable=False),
        sa.Column("address", sa.String(length=200), nullable=False),
        sa.Column("path", sa.String(length=1000), nullable=False),
        sa.Column("release", sa.String(length=200), nullable=False),
        sa.Column(
            "environment",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default="{}",
            nullable=False,
        ),
        sa.Column("secrets", sa.LargeBinary(), nullable=True),
        sa.Column("wanted", sa.String(length=10), server_default="running", nullable=False),
        sa.Column("status", sa.String(length=10), server_default="installed", nullable=False),
        sa.Column("health", sa.String(length=10), server_default="unknown", nullable=False),
        sa.Column("message", sa.Text(), server_default="", nullable=False),
        sa.Column("last_log", sa.Text(), server_default="", nullable=False),
        sa.Column("restarts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("revivals", sa.Integer(), server_default="0", nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("id ~ '^[0-9a-f]{32}$'", name=op.f("ck_module_instances_id")),
        sa.CheckConstraint(
            "status IN ('installed', 'running', 'stopped', 'error')",
            name=op.f("ck_module_instances_status"),
        ),
        sa.CheckConstraint(
            "wanted IN ('running', 'stopped')", name=op.f("ck_module_instances_wanted")
        ),
        sa.ForeignKeyConstraint(
            ["module_name"],
            ["modules.name"],
            name=op.f("fk_module_instances_module_name_modules"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_module_instances")),
        sa.UniqueConstraint("module_name", "id", name=op.f("uq_module_instances_module_name_id")),
        sa.UniqueConstraint("service", name=op.f("uq_module_instances_service")),
    )
    op.create_foreign_key(
        "fk_modules_primary_instance",
        "modules",
        "module_instances",
        ["name", "primary_instance_id"],
        ["module_name", "id"],
        initially="DEFERRED",
        deferrable=True,
    )
    op.create_table(
        "module_operations",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("module_name", sa.String(length=40), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("secrets", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["job_id"],
            ["jobs.id"],
            name=op.f("fk_module_operations_job_id_jobs"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_module_operations")),
    )
    op.create_index(
        "uq_module_operations_active",
        "module_operations",
        ["module_name"],
        unique=True,
        postgresql_where=sa.text("is_active"),
    )
    op.execute(
        "INSERT INTO module_repositories (name, kind, location) "
        "VALUES ('samples', 'file', 'shipped:')"
    )


def downgrade() -> None:
    op.drop_index(
        "uq_module_operations_active",
        table_name="module_operations",
        postgresql_where=sa.text("is_active"),
    )
    op.drop_table("module_operations")
    op.drop_constraint("fk_modules_primary_instance", "modules", type_="foreignkey")
    op.drop_table("module_instances")
    op.drop_table("modules")
    op.drop_table("module_offers")
    op.drop_table("module_repositories")
    op.drop_table("module_slots")
    op.drop_index("ix_webhook_attempts_delivery", table_name="webhook_attempts")
    op.drop_table("webhook_attempts")
    op.drop_index("uq_call_events_key", table_name="call_events")
    op.drop_table("call_events")
    op.drop_index(
        "uq_webhook_secrets_endpoint",
        table_name="webhook_secrets",
        postgresql_where=sa.text("expires_at IS NULL"),
    )
    op.drop_index(
        "uq_webhook_secrets_callbacks",
        table_name="webhook_secrets",
        postgresql_where=sa.text("endpoint_id IS NULL AND expires_at IS NULL"),
    )
    op.drop_index("ix_webhook_secrets_owner", table_name="webhook_secrets")
    op.drop_index("ix_webhook_secrets_endpoint", table_name="webhook_secrets")
    op.drop_table("webhook_secrets")
    op.drop_index("ix_webhook_deliveries_owner", table_name="webhook_deliveries")
    op.drop_index("ix_webhook_deliveries_endpoint", table_name="webhook_deliveries")
    op.drop_table("webhook_deliveries")
    op.drop_index("ix_videos_user", table_name="videos")
    op.drop_index("ix_videos_channel", table_name="videos")
    op.drop_table("videos")
    op.drop_index(
        "ix_schedule_fires_waiting",
        table_name="schedule_fires",
        postgresql_where=sa.text("outcome = 'waiting'"),
    )
    op.drop_index(
        "ix_schedule_fires_job",
        table_name="schedule_fires",
        postgresql_where=sa.text("job_id IS NOT NULL"),
    )
    op.drop_index("ix_schedule_fires_created", table_name="schedule_fires")
    op.drop_table("schedule_fires")
    op.drop_index("ix_refresh_tokens_session", table_name="refresh_tokens")
    op.drop_table("refresh_tokens")
    op.drop_index("uq_oauth_states_ticket", table_name="oauth_states")
    op.drop_index("uq_oauth_states_state", table_name="oauth_states")
    op.drop_index("ix_oauth_states_user", table_name="oauth_states")
    op.drop_index("ix_oauth_states_expires", table_name="oauth_states")
    op.drop_table("oauth_states")
    op.drop_index(
        "uq_oauth_connections_user",
        table_name="oauth_connections",
        postgresql_where=sa.text("channel_id IS NULL"),
    )
    op.drop_index(
        "uq_oauth_connections_channel",
        table_name="oauth_connections",
        postgresql_where=sa.text("channel_id IS NOT NULL"),
    )
    op.drop_index("ix_oauth_connections_user", table_name="oauth_connections")
    op.drop_table("oauth_connections")
    op.drop_table("job_steps")
    op.drop_index("ix_job_signals_job", table_name="job_signals")
    op.drop_table("job_signals")
    op.drop_index("ix_job_logs_job", table_name="job_logs")
    op.drop_table("job_logs")
    op.drop_index("ix_job_ends_owed_due", table_name="job_ends_owed")
    op.drop_table("job_ends_owed")
    op.drop_table("job_artifacts")
    op.drop_index("ix_calls_user", table_name="calls")
    op.drop_index(
        "ix_calls_under_way",
        table_name="calls",
        postgresql_where=sa.text("state IN ('dialing', 'ringing', 'answered')"),
    )
    op.drop_index("ix_calls_to", table_name="calls")
    op.drop_index(
        "ix_calls_open",
        table_name="calls",
        postgresql_where=sa.text("state IN ('queued', 'dialing', 'ringing', 'answered')"),
    )
    op.drop_index(
        "ix_calls_named",
        table_name="calls",
        postgresql_where=sa.text("to_number IS NOT NULL OR provider_ref IS NOT NULL"),
    )
    op.drop_index(
        "ix_calls_left_up",
        table_name="calls",
        postgresql_where=sa.text("hangup_asked_at IS NOT NULL AND hangup_sent_at IS NULL"),
    )
    op.drop_index(
        "ix_calls_erased",
        table_name="calls",
        postgresql_where=sa.text(
            "user_id IS NULL AND (to_number IS NOT NULL OR provider_ref IS NOT NULL)"
        ),
    )
    op.drop_index(
        "ix_calls_ended", table_name="calls", postgresql_where=sa.text("ended_at IS NOT NULL")
    )
    op.drop_index("ix_calls_day", table_name="calls")
    op.drop_index(
        "ix_calls_asked", table_name="calls", postgresql_where=sa.text("state = 'queued'")
    )
    op.drop_table("calls")
    op.drop_index("ix_webhook_endpoints_owner", table_name="webhook_endpoints")
    op.drop_table("webhook_endpoints")
    op.drop_index("ix_user_sessions_user", table_name="user_sessions")
    op.drop_index(
        "ix_user_sessions_ended",
        table_name="user_sessions",
        postgresql_where=sa.text("ended_at IS NOT NULL"),
    )
    op.drop_table("user_sessions")
    op.drop_index("ix_schedules_owner", table_name="schedules")
    op.drop_index(
        "ix_schedules_due",
        table_name="schedules",
        postgresql_where=sa.text("next_fire_at IS NOT NULL"),
    )
    op.drop_table("schedules")
    op.drop_index(
        "uq_privacy_requests_open",
        table_name="privacy_requests",
        postgresql_where=sa.text("finished_at IS NULL"),
    )
    op.drop_index("ix_privacy_requests_user", table_name="privacy_requests")
    op.drop_index(
        "ix_privacy_requests_exports",
        table_name="privacy_requests",
        postgresql_where=sa.text("kind = 'export' AND is_available"),
    )
    op.drop_table("privacy_requests")
    op.drop_index("ix_oauth_revocations_user", table_name="oauth_revocations")
    op.drop_table("oauth_revocations")
    op.drop_index("uq_oauth_identities_subject", table_name="oauth_identities")
    op.drop_index("ix_oauth_identities_user", table_name="oauth_identities")
    op.drop_table("oauth_identities")
    op.drop_index("ix_mailed_links_user", table_name="mailed_links")
    op.drop_table("mailed_links")
    op.drop_index(
        "uq_jobs_unique_key",
        table_name="jobs",
        postgresql_where=sa.text(
            "unique_key IS NOT NULL AND status IN ('queued', 'running', 'waiting')"
        ),
    )
    op.drop_index(
        "uq_jobs_operation_key",
        table_name="jobs",
        postgresql_where=sa.text(
            "operation_key IS NOT NULL AND status IN ('queued', 'running', 'waiting')"
        ),
    )
    op.drop_index(
        "uq_jobs_child", table_name="jobs", postgresql_where=sa.text("parent_id IS NOT NULL")
    )
    op.drop_index("ix_jobs_wait", table_name="jobs", postgresql_where=sa.text("status = 'waiting'"))
    op.drop_index(
        "ix_jobs_undoing", table_name="jobs", postgresql_where=sa.text("ending IS NOT NULL")
    )
    op.drop_index(
        "ix_jobs_turns",
        table_name="jobs",
        postgresql_where=sa.text("status = 'queued' AND published_at IS NULL"),
    )
    op.drop_index(
        "ix_jobs_tags",
        table_name="jobs",
        postgresql_using="gin",
        postgresql_where=sa.text("cardinality(tags) <> 0"),
    )
    op.drop_index(
        "ix_jobs_tagged", table_name="jobs", postgresql_where=sa.text("cardinality(tags) <> 0")
    )
    op.drop_index("ix_jobs_sensitive", table_name="jobs", postgresql_where=sa.text("is_sensitive"))
    op.drop_index(
        "ix_jobs_schedule_active",
        table_name="jobs",
        postgresql_where=sa.text(
            "schedule_id IS NOT NULL AND status IN ('queued', 'running', 'waiting')"
        ),
    )
    op.drop_index(
        "ix_jobs_reserved", table_name="jobs", postgresql_where=sa.text("reserved_cost > 0")
    )
    op.drop_index(
        "ix_jobs_published",
        table_name="jobs",
        postgresql_where=sa.text("status = 'queued' AND published_at IS NOT NULL"),
    )
    op.drop_index(
        "ix_jobs_owner_tagged",
        table_name="jobs",
        postgresql_where=sa.text("cardinality(tags) <> 0"),
    )
    op.drop_index("ix_jobs_owner_operation", table_name="jobs")
    op.drop_index("ix_jobs_owner_id", table_name="jobs")
    op.drop_index(
        "ix_jobs_owner_failed", table_name="jobs", postgresql_where=sa.text("status = 'failed'")
    )
    op.drop_index(
        "ix_jobs_owner_dead",
        table_name="jobs",
        postgresql_where=sa.text(
            "(status = 'failed' AND (error ->> 'retryable' = 'true' OR 'JOB_POISONED' IN (error ->> 'code', error #>> '{details,cause}')))"
        ),
    )
    op.drop_index(
        "ix_jobs_owner_cancelled",
        table_name="jobs",
        postgresql_where=sa.text("status = 'cancelled'"),
    )
    op.drop_index(
        "ix_jobs_owner_active",
        table_name="jobs",
        postgresql_where=sa.text("status IN ('queued', 'running', 'waiting')"),
    )
    op.drop_index("ix_jobs_operation", table_name="jobs")
    op.drop_index(
        "ix_jobs_live_children",
        table_name="jobs",
        postgresql_where=sa.text("parent_id IS NOT NULL AND finished_at IS NULL"),
    )
    op.drop_index(
        "ix_jobs_lease", table_name="jobs", postgresql_where=sa.text("status = 'running'")
    )
    op.drop_index(
        "ix_jobs_failed", table_name="jobs", postgresql_where=sa.text("status = 'failed'")
    )
    op.drop_index(
        "ix_jobs_error_code", table_name="jobs", postgresql_where=sa.text("status = 'failed'")
    )
    op.drop_index("ix_jobs_due", table_name="jobs", postgresql_where=sa.text("status = 'queued'"))
    op.drop_index(
        "ix_jobs_dead",
        table_name="jobs",
        postgresql_where=sa.text(
            "(status = 'failed' AND (error ->> 'retryable' = 'true' OR 'JOB_POISONED' IN (error ->> 'code', error #>> '{details,cause}'))) AND operation <> ''"
        ),
    )
    op.drop_index(
        "ix_jobs_children", table_name="jobs", postgresql_where=sa.text("parent_id IS NOT NULL")
    )
    op.drop_index(
        "ix_jobs_cancels_children", table_name="jobs", postgresql_where=sa.text("cancels_children")
    )
    op.drop_index(
        "ix_jobs_cancelled", table_name="jobs", postgresql_where=sa.text("status = 'cancelled'")
    )
    op.drop_index("ix_jobs_ahead", table_name="jobs", postgresql_where=sa.text("status = 'queued'"))
    op.drop_index(
        "ix_jobs_active",
        table_name="jobs",
        postgresql_include=["queue"],
        postgresql_where=sa.text("status IN ('queued', 'running', 'waiting')"),
    )
    op.drop_table("jobs")
    op.drop_table("job_watchers")
    op.drop_index("ix_job_costs_owner", table_name="job_costs")
    op.drop_table("job_costs")
    op.drop_index("ix_idempotency_keys_expiry", table_name="idempotency_keys")
    op.drop_table("idempotency_keys")
    op.drop_table("configuration_changes")
    op.drop_index("ix_channels_user", table_name="channels")
    op.drop_table("channels")
    op.drop_index("uq_audit_subject_keys_user", table_name="audit_subject_keys")
    op.drop_index(
        "uq_audit_subject_keys_name",
        table_name="audit_subject_keys",
        postgresql_where=sa.text("name IS NOT NULL"),
    )
    op.drop_table("audit_subject_keys")
    op.drop_index(
        "uq_api_keys_name",
        table_name="api_keys",
        postgresql_where=sa.text("revoked_at IS NULL AND replaced_at IS NULL"),
    )
    op.drop_index("ix_api_keys_user", table_name="api_keys")
    op.drop_index(
        "ix_api_keys_revoked",
        table_name="api_keys",
        postgresql_where=sa.text("revoked_at IS NOT NULL"),
    )
    op.drop_index(
        "ix_api_keys_replaced",
        table_name="api_keys",
        postgresql_where=sa.text("replaced_at IS NOT NULL"),
    )
    op.drop_table("api_keys")
    op.drop_index("uq_users_username", table_name="users")
    op.drop_index("uq_users_email", table_name="users")
    op.drop_index("ix_users_updated", table_name="users")
    op.drop_table("users")
    op.drop_table("signing_keys")
    op.drop_table("queue_states")
    op.drop_index("ix_job_tombstones_purged", table_name="job_tombstones")
    op.drop_index(
        "ix_job_tombstones_files",
        table_name="job_tombstones",
        postgresql_where=sa.text("storage_keys IS NOT NULL"),
    )
    op.drop_table("job_tombstones")
    op.drop_table("call_trunks")
    op.drop_table("audit_head")
    op.drop_index(
        "ix_audit_entries_target",
        table_name="audit_entries",
        postgresql_where=sa.text("target <> ''"),
    )
    op.drop_index("ix_audit_entries_subject", table_name="audit_entries")
    op.drop_index("ix_audit_entries_at", table_name="audit_entries")
    op.drop_index("ix_audit_entries_actor", table_name="audit_entries")
    op.drop_index("ix_audit_entries_action", table_name="audit_entries")
    op.drop_table("audit_entries")
    op.execute("DROP FUNCTION audit_entries_stay()")
