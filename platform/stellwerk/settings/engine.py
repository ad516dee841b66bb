"""How the job engine works."""

from pathlib import Path

from pydantic import BaseModel, Field


class Engine(BaseModel):
    """How the job engine works."""

    # The job engine
    job_lease_s: float = Field(default=30.0, gt=0)  # how long a vanished worker keeps its job
    job_heartbeat_s: float = Field(default=8.0, gt=0)  # how often workers renew it
    job_republish_after_s: float = Field(
        default=30.0, gt=0
    )  # then an unclaimed wake-up counts as lost
    job_dispatch_interval_s: float = Field(default=0.25, gt=0)  # between turns of the dispatcher
    job_window_factor: int = Field(default=4, ge=1)  # wake-ups outstanding per short slot; else 1
    job_window_factor_max: int = Field(default=64, ge=1)  # per slot, while a backlog runs quickly
    keep_completed_days: int = Field(default=30, ge=1)  # completed and cancelled jobs
    keep_failed_days: int = Field(default=90, ge=1)  # failed jobs
    keep_tombstones_days: int = Field(default=365, ge=1)  # so long a purged job answers 410
    job_list_length: int = Field(default=50, ge=1)  # short jobs in one wake-up while many wait
    owner_max_running: dict[str, int] = {}  # jobs of one owner at once, by queue: {"media": 2}
    worker_niceness: int = Field(default=5, ge=0, le=19)  # of workers: answers go first; 0: equal
    job_kill_grace_s: float = Field(default=10.0, gt=0)  # how long a handler may ignore its stop
    job_status_ttl_s: int = Field(default=30, ge=5)  # of an unfinished job in Redis
    schedules_limit: int = Field(default=100, ge=0)  # schedules of one user
    schedule_waiting_max: int = Field(default=100, ge=0)  # times that wait where overlap is `queue`
    idempotency_ttl_s: int = Field(default=86_400, ge=60)  # how long an Idempotency-Key is known
    job_events_kept: int = Field(default=1000, ge=10)  # per job
    job_children_max: int = Field(default=10_000, ge=1)  # of one job
    job_depth_max: int = Field(default=8, ge=1)  # jobs above a job: its parent, that one's ...
    job_signals_max: int = Field(default=1000, ge=1)  # that a job keeps and no wait took yet
    job_signal_bytes: int = Field(default=65_536, ge=1)  # of a signal's data as JSON, at most
    retry_delays_s: dict[str, list[float]] = {}  # by operation, in place of its own retry policy
    crash_folder: Path | None = None  # for chaos tests: files in it kill processes
