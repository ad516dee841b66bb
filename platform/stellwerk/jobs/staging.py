"""What an attempt made and spent, until the transaction in which it becomes visible."""

from decimal import Decimal
from typing import Any

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from stellwerk.jobs.claims import Claim
from stellwerk.jobs.model import JobArtifact
from stellwerk.jobs.remains import JobCost
from stellwerk.providers.artifacts.protocol import StoredObject


class Staged:
    """Cost lines and artifacts of one attempt; `flush`, commit, then `settle`."""

    def __init__(self, claimed: Claim) -> None:
        self._claimed = claimed
        self._artifacts: list[JobArtifact] = []
        self._costs: list[dict[str, Any]] = []
        self._costs_made = 0

    def add_cost(
        self, step: str, provider: str, unit_name: str, *, quantity: Decimal, unit_price: Decimal
    ) -> None:
        """A cost line (EUR), numbered within the attempt."""
        self._costs_made += 1
        self._costs.append(
            {
                "job_id": self._claimed.job_id,
                "attempt": self._claimed.attempt,
                "sequence": self._costs_made,
                "owner_id": self._claimed.owner_id,
                "step": step,
                "provider": provider,
                "unit": unit_name,
                "quantity": quantity,
                "unit_price": unit_price,
                "amount": quantity * unit_price,
            }
        )

    def add_artifact(
        self,
        name: str,
        key: str,
        content_type: str,
        stored: StoredObject,
        sealed_key: bytes | None = None,
    ) -> None:
        """A file that is in the store already; with a `sealed_key` it is encrypted there."""
        self._artifacts.append(
            JobArtifact(
                job_id=self._claimed.job_id,
                name=name,
                attempt=self._claimed.attempt,
                storage_key=key,
                content_type=content_type,
                size_bytes=stored.size_bytes,
                sha256=stored.sha256,
                sealed_key=sealed_key,
            )
        )

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to flush."""
        return not (self._costs or self._artifacts)

    def flush(self, session: Session, *, artifacts: bool = True) -> None:
        """Write it in this transaction; sending a cost line again changes nothing."""
        if self._costs:
            session.execute(insert(JobCost).on_conflict_do_nothing(), self._costs)
        if artifacts:
            for artifact in self._artifacts:
                session.merge(artifact)

    def settle(self, *, artifacts: bool = True) -> None:
        """What was flushed is committed."""
        self._costs = []
        if artifacts:
            self._artifacts = []
