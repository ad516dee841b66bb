"""Which attempt of which job, and how what it leaves is stored: sealed where it is sensitive."""

from typing import Any

from stellwerk.jobs import sealing
from stellwerk.jobs.claims import Claim
from stellwerk.jobs.lifecycle import Outcome
from stellwerk.jobs.model import JobLog
from stellwerk.jobs.operation import Payload
from stellwerk.jobs.runtime import Runtime
from stellwerk.jobs.states import JobStatus
from stellwerk.jobs.storable import storable, storable_json


class Attempt:
    """One claim of a job."""

    def __init__(self, runtime: Runtime, claimed: Claim) -> None:
        self.runtime = runtime
        self.claimed = claimed

    @property
    def job_id(self) -> Any:
        """The job's id (UUID)."""
        return self.claimed.job_id

    @property
    def owner_id(self) -> int | None:
        """The user it runs for; None for the system's own jobs."""
        return self.claimed.owner_id

    @property
    def worker(self) -> str:
        """The name of the worker that runs it."""
        return self.claimed.worker

    @property
    def attempt(self) -> int:
        """1 for the first."""
        return self.claimed.attempt

    @property
    def is_sensitive(self) -> bool:
        """Whether what belongs to the job is sealed; what is told of it meanwhile is masked."""
        return self.claimed.is_sensitive

    @property
    def payload(self) -> Payload:
        """The stored payload, in the shape of the version that it was accepted with."""
        found: Payload = self.unsealed(self.claimed.payload)
        return found

    def sealed(self, value: Any) -> Any:
        """The JSON value as this job's may be stored."""
        if not self.is_sensitive:
            return value
        return sealing.seal(self.runtime.vault, self.job_id, value)

    def unsealed(self, stored: Any) -> Any:
        """What `sealed` made, as it was."""
        if not self.is_sensitive:
            return stored
        return sealing.unseal(self.runtime.vault, self.job_id, stored)

    def completed(self, result: dict[str, Any] | None) -> Outcome:
        """The outcome of a handler that returned this."""
        return Outcome(JobStatus.COMPLETED, None if result is None else self.sealed(result))

    def told_error(self, error: dict[str, Any]) -> dict[str, Any]:
        """An error of this job as it may be stored, shown and logged."""
        if not self.is_sensitive:
            return error
        return sealing.seal_error(self.runtime.vault, self.job_id, error)

    def log_line(self, message: str, *, level: str = "info", **fields: Any) -> JobLog:
        """A line of the job's log, for a transaction of the caller."""
        columns = {"message": storable(message), "fields": storable_json(fields)}
        if self.is_sensitive:
            columns = sealing.log_columns(self.runtime.vault, self.job_id, **columns)
        return JobLog(job_id=self.job_id, attempt=self.attempt, level=level, **columns)

    def engine_line(self, message: str) -> JobLog:
        """A line in the engine's own words, which everybody may read."""
        return JobLog(
            job_id=self.job_id, attempt=self.attempt, level="info", message=storable(message)
        )
