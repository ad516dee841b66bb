"""Jobs that a job makes and waits for, without holding a worker meanwhile.

A child is unique by parent, step and key, so a handler that runs again finds the children it
made. They take over owner, tags, request and trace; queue, limits and retries are their own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from stellwerk.errors import ErrorCode, JobFailed
from stellwerk.jobs import checkpoints, families
from stellwerk.jobs.awaited import Awaited
from stellwerk.jobs.checkpoints import Checkpoint
from stellwerk.jobs.interruptions import Suspended
from stellwerk.jobs.lifecycle import heed_cancel
from stellwerk.jobs.lineage import Parent, adopted, inherited
from stellwerk.jobs.model import Job, StepState
from stellwerk.jobs.operation import Payload
from stellwerk.jobs.runtime import Unit
from stellwerk.jobs.sealing import unseal, unseal_error
from stellwerk.jobs.states import TERMINAL, JobStatus
from stellwerk.jobs.submission import Submission, accept, checked_payload, columns
from stellwerk.jobs.uniqueness import keys_of, take_within

if TYPE_CHECKING:
    from stellwerk.jobs.context import JobContext

WAIT = "wait-children"
BATCH = 500  # children stored in one transaction
NAMED = 20  # children named in an error


class ChildFailure(StrEnum):
    """What a failed or cancelled child means for the job that waits for it."""

    FAIL_FAST = "fail_fast"  # the other awaited children are cancelled, the wait fails at once
    WAIT_ALL = "wait_all"  # all others may end first, then the wait fails
    IGNORE = "ignore"  # the wait returns it like the others


@dataclass(frozen=True, slots=True)
class ChildJob:
    """A child to make; without a `key` it is told apart by its place among those of its step."""

    operation: str
    payload: Payload
    key: str = ""


@dataclass(frozen=True, slots=True)
class ChildEnd:
    """How a child ended; `result` is empty where there is none."""

    job_id: UUID
    key: str
    status: JobStatus
    result: dict[str, Any]
    error: dict[str, Any] | None


class Children:
    """The children of the job of one attempt."""

    def __init__(self, ctx: "JobContext") -> None:
        self._ctx = ctx
        self._known: dict[tuple[str, str], tuple[UUID, str]] | None = None  # id, operation

    def submit(self, wanted: Sequence[ChildJob]) -> list[UUID]:
        """Make those that are not there yet; returns the ids of all, in order.

        Raises InvalidInput, NotFound (no such operation), Conflict (CHILD_LIMIT_REACHED,
        DUPLICATE_JOB), ValueError where a key was used for another operation.
        """
        step = self._ctx.step_name
        keyed = [replace(one, key=one.key or self._next_key(step)) for one in wanted]
        missing = [one for one in keyed if not self._is_known(step, one)]
        for start in range(0, len(missing), BATCH):
            self._make(step, missing[start : start + BATCH])
        return [self._found()[step, one.key][0] for one in keyed]

    def wait(
        self, keys: Iterable[str] | None, *, step: str | None, failure: ChildFailure
    ) -> list[ChildEnd]:
        """How the children ended: those with these keys in this order, or all, oldest first.

        Raises JobFailed (CHILD_FAILED) as `failure` says; LookupError for a key without a child.
        """
        key = self._ctx.occurrence(WAIT)
        known = self._ctx.recorded(WAIT, key)
        if known:
            return [self._unsealed(_read(stored)) for stored in known.output]
        ids = None if keys is None and step is None else self._ids(keys, step)
        fails_fast = failure is ChildFailure.FAIL_FAST
        awaited = Awaited(ids, fails_fast, self._ctx.step_name)
        found = self._await(awaited, key, failure)
        fallen = [end for end in found if end.status in _FALLEN]
        if fallen and failure is not ChildFailure.IGNORE:
            self._cancel_live(found)
            raise _failed(fallen, len(found))
        return [self._unsealed(end) for end in found]

    def _next_key(self, step: str) -> str:
        return self._ctx.occurrence(f"child:{step}")

    def _is_known(self, step: str, wanted: ChildJob) -> bool:
        found = self._found().get((step, wanted.key))
        if found and found[1] != wanted.operation:
            message = f"The child {wanted.key!r} of step {step!r} is a {found[1]} already."
            raise ValueError(message)
        return found is not None

    def _found(self) -> dict[tuple[str, str], tuple[UUID, str]]:
        if self._known is None:
            with self._ctx.runtime.sessions() as session:
                columns_ = (Job.parent_step, Job.parent_key, Job.id, Job.operation)
                query = select(*columns_).where(Job.parent_id == self._ctx.job_id)
                rows = session.execute(query.order_by(Job.id))
                self._known = {
                    (step or "", key or ""): (child, name) for step, key, child, name in rows
                }
        return self._known

    def _ids(self, keys: Iterable[str] | None, step: str | None) -> tuple[UUID, ...]:
        found = [
            (key, child)
            for (of_step, key), (child, _) in self._found().items()
            if step in {None, of_step}
        ]
        if keys is None:
            return tuple(child for _, child in found)
        chosen = [(wanted, [child for key, child in found if key == wanted]) for wanted in keys]
        missing = [wanted for wanted, children in chosen if not children]
        if missing:
            message = f"There are no children with the keys {missing}."
            raise LookupError(message)
        return tuple(child for _, children in chosen for child in children)

    def _make(self, step: str, wanted: Sequence[ChildJob]) -> None:
        ctx = self._ctx
        with ctx.fenced() as work:
            heed_cancel(work, ctx.claimed)
            made = {one.key: self._submission(step, one) for one in wanted}
            self._store(work, list(made.values()))
        self._found().update(
            {(step, key): (one.job_id, one.operation) for key, one in made.items()}
        )

    def _submission(self, step: str, wanted: ChildJob) -> Submission:
        parent = Parent(self._ctx.job_id, wanted.key, step)
        owner_id = self._ctx.owner_id
        return Submission(wanted.operation, wanted.payload, owner_id=owner_id, parent=parent)

    def _store(self, work: Unit, made: list[Submission]) -> None:
        """A single one may be published at once; many are stored together, for the dispatcher."""
        registry = self._ctx.runtime.registry
        plain: list[tuple[Parent, dict[str, Any]]] = []
        for one in made:
            operation = registry.get(one.operation)
            payload = checked_payload(operation, one.payload)
            if one.parent is None or operation.on_accept or len(made) == 1:
                accept(self._ctx.runtime, work, one, payload)
            else:
                row = columns(self._ctx.runtime.vault, operation, one, payload)
                plain.append((one.parent, row))
        if plain:
            self._store_plain(work, plain)

    def _store_plain(self, work: Unit, plain: list[tuple[Parent, dict[str, Any]]]) -> None:
        settings, first = self._ctx.runtime.settings, plain[0][0]
        family = inherited(work.session, settings, first, children=len(plain))
        _insert(work.session, [adopted(row, family, parent) for parent, row in plain])
        work.changed.update(row["id"] for _, row in plain)

    def _await(self, awaited: Awaited, key: str, failure: ChildFailure) -> list[ChildEnd]:
        ctx = self._ctx
        with ctx.fenced() as work:
            if not awaited.is_over(work.session, ctx.job_id):
                raise Suspended("children", None, awaited)
            found = _ends(work.session, ctx.job_id, awaited)
            if failure is not ChildFailure.IGNORE and any(one.status in _FALLEN for one in found):
                return found  # not stored: once the children are retried, it is waited again
            output = [asdict(self._unsealed(end) if ctx.is_sensitive else end) for end in found]
            ended = Checkpoint(WAIT, key, "wait", StepState.DONE, ctx.attempt, output)
            checkpoints.store(work.session, ctx, ended)
        ctx.remember(ended)
        return found

    def _unsealed(self, end: ChildEnd) -> ChildEnd:
        """What a sensitive child came to; stored with one that is not, it stays sealed."""
        vault = self._ctx.runtime.vault
        result = unseal(vault, end.job_id, end.result)
        return replace(end, result=result, error=unseal_error(vault, end.job_id, end.error))

    def _cancel_live(self, found: list[ChildEnd]) -> None:
        live = [end.job_id for end in found if end.status not in TERMINAL]
        if live:
            families.cancel_all(self._ctx.runtime, live)


_FALLEN = frozenset({JobStatus.FAILED, JobStatus.CANCELLED})


def _insert(session: Session, rows: list[dict[str, Any]]) -> None:
    def add() -> None:
        session.execute(insert(Job), rows)

    take_within(session, [key for row in rows for key in keys_of(row)], add)


def _ends(session: Session, parent_id: UUID, awaited: Awaited) -> list[ChildEnd]:
    query = select(Job.id, Job.parent_key, Job.status, Job.result, Job.error)
    query = query.where(Job.parent_id == parent_id)
    if awaited.child_ids is not None:
        query = query.where(Job.id.in_(awaited.child_ids))
    rows = session.execute(query.order_by(Job.id)).all()
    ends = {
        row.id: ChildEnd(row.id, row.parent_key, JobStatus(row.status), row.result or {}, row.error)
        for row in rows
    }
    wanted = ends if awaited.child_ids is None else awaited.child_ids
    return [ends[child_id] for child_id in wanted]


def _read(stored: dict[str, Any]) -> ChildEnd:
    status = JobStatus(stored["status"])
    return ChildEnd(**(stored | {"job_id": UUID(stored["job_id"]), "status": status}))


def _failed(fallen: list[ChildEnd], total: int) -> JobFailed:
    first = fallen[0].error or {}
    message = f"{len(fallen)} of {total} children failed, the first one: {first.get('message')}"
    named = [
        {"job_id": str(end.job_id), "key": end.key, "code": (end.error or {}).get("code")}
        for end in fallen[:NAMED]
    ]
    return JobFailed(message, code=ErrorCode.CHILD_FAILED, details={"children": named})
