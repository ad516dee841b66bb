from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, update

from outbox import Outbox
from stellwerk.bootstrap import Platform
from stellwerk.errors import Conflict, InvalidInput, NotFound
from stellwerk.jobs import claims, control, dispatch
from stellwerk.jobs.model import Job, QueueState
from stellwerk.jobs.ports import Wakeup
from stellwerk.jobs.runtime import Runtime
from stellwerk.jobs.submission import Submission, submit


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


@pytest.fixture
def runtime(platform: Platform, outbox: Outbox) -> Runtime:
    """Where a wake-up counts as lost only after long, however slow the machine is."""
    settings = platform.settings.model_copy(update={"job_republish_after_s": 600.0})
    return replace(platform.runtime, publisher=outbox, settings=settings)


def echo(runtime: Runtime, **fields: Any) -> UUID:
    return submit(runtime, Submission("diagnostics.echo", {}, owner_id=None, **fields))


def test_a_submitted_job_is_published_at_once(runtime: Runtime, outbox: Outbox) -> None:
    job_id = echo(runtime)
    assert outbox.sent == [job_id]


def test_beyond_the_window_jobs_wait_in_the_ledger(runtime: Runtime, outbox: Outbox) -> None:
    window = runtime.settings.short_slots * runtime.settings.job_window_factor
    submitted = [echo(runtime) for _ in range(window + 3)]

    assert outbox.sent == submitted[:window]
    assert dispatch.publish_due(runtime, "short") == 0

    control.cancel(runtime, submitted[0])
    assert dispatch.publish_due(runtime, "short") == 1
    assert outbox.sent[-1] == submitted[window]


def test_a_wake_up_that_could_not_be_sent_is_sent_by_the_dispatcher(
    runtime: Runtime, outbox: Outbox
) -> None:
    outbox.works = False
    job_id = echo(runtime)
    outbox.works = True

    assert dispatch.publish_due(runtime, "short") == 1
    assert outbox.sent == [job_id]


def test_a_published_job_that_nobody_claims_is_published_again(
    runtime: Runtime, outbox: Outbox
) -> None:
    job_id = echo(runtime)
    assert dispatch.publish_due(runtime, "short") == 0
    _age_publication(runtime)

    assert dispatch.publish_due(runtime, "short") == 1
    assert outbox.sent == [job_id, job_id]


def test_a_rescued_job_goes_on_before_the_backlog_that_came_after_it(
    runtime: Runtime, outbox: Outbox
) -> None:
    job_id = submit(runtime, Submission("diagnostics.sleep", {}, owner_id=None))
    wakeup = Wakeup(job_id, 0, "diagnostics.sleep", "long")
    assert claims.claim(runtime, wakeup, "worker", uuid4())
    for _ in range(20):
        submit(runtime, Submission("diagnostics.sleep", {}, owner_id=None))
    with runtime.sessions.begin() as session:
        session.execute(update(Job).values(published_at=None))
        session.execute(update(Job).where(Job.id == job_id).values(lease_until=func.now()))
    outbox.sent.clear()

    assert len(dispatch.rescue_expired(runtime)) == 1
    dispatch.publish_due(runtime, "long")

    assert outbox.sent[0] == job_id


def test_a_paused_queue_publishes_nothing(runtime: Runtime, outbox: Outbox) -> None:
    with runtime.sessions.begin() as session:
        session.add(QueueState(name="short", paused_at=session.scalar(_now())))
    echo(runtime)
    assert dispatch.publish_due(runtime, "short") == 0
    assert outbox.sent == []


def test_after_the_broker_lost_its_data_everything_goes_out_again(
    runtime: Runtime, outbox: Outbox
) -> None:
    job_id = echo(runtime)
    assert dispatch.forget_published(runtime) == 1
    dispatch.publish_due(runtime, "short")
    assert outbox.sent == [job_id, job_id]


def test_a_second_job_with_the_same_unique_key_is_refused_while_the_first_is_active(
    runtime: Runtime,
) -> None:
    first = echo(runtime, unique_key="daily")
    with pytest.raises(Conflict) as refused:
        echo(runtime, unique_key="daily")
    assert refused.value.details == {"job_id": str(first)}

    control.cancel(runtime, first)
    echo(runtime, unique_key="daily")


def test_a_wrong_payload_is_refused_naming_each_field_and_stores_nothing(
    runtime: Runtime, outbox: Outbox
) -> None:
    with pytest.raises(InvalidInput) as refused:
        submit(runtime, Submission("diagnostics.sleep", {"seconds": "x", "nap": 1}, None))
    assert {error.field for error in refused.value.errors} == {"seconds", "nap"}
    with pytest.raises(NotFound):
        submit(runtime, Submission("no.such", {}, None))
    assert outbox.sent == []


def _age_publication(runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        session.execute(update(Job).values(published_at=Job.published_at - timedelta(hours=1)))


def _now() -> Any:
    return select(func.now())
