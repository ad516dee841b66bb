"""Whose jobs are published: owners take turns, limits hold, low queues come after the others."""

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from errors_of_postgres import stops
from outbox import Outbox
from people import add_user
from stellwerk.bootstrap import Platform
from stellwerk.diagnostics.operations import ECHO, SLEEP
from stellwerk.jobs import claims, dispatch, queue_states
from stellwerk.jobs.model import Job, QueueState
from stellwerk.jobs.operation import Registry
from stellwerk.jobs.pace import Pace
from stellwerk.jobs.ports import Wakeup
from stellwerk.jobs.runtime import Runtime
from stellwerk.jobs.submission import Submission, submit
from stellwerk.jobs.turns import Bounds, take_turn

WINDOW = 4
_BACKLOG = text("""
    INSERT INTO jobs (id, operation, operation_version, owner_id, queue, payload, max_attempts,
        run_at)
    SELECT gen_random_uuid(), :operation, 1, :owner, :queue, '{}', 5,
        now() - interval '1 hour' + n * interval '1 ms'
    FROM generate_series(1, :number) AS n
""")
_ROWS_READ = text("""
    SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'jobs'
""")


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


@pytest.fixture
def runtime(platform: Platform, outbox: Outbox) -> Runtime:
    """Two slots of the short queue, four wake-ups outstanding, none of which counts as lost."""
    changed = {"short_slots": 2, "job_window_factor": 2, "job_republish_after_s": 600.0}
    settings = platform.settings.model_copy(update=changed)
    return replace(platform.runtime, publisher=outbox, settings=settings)


@pytest.fixture
def owners(platform: Platform) -> list[int]:
    return [add_user(platform) for _ in range(3)]


def test_an_owner_with_one_job_is_served_before_anothers_thousands(
    runtime: Runtime, owners: list[int]
) -> None:
    backlog(runtime, owners[0], 5000)
    backlog(runtime, owners[1], 1)
    backlog(runtime, None, 1)

    assert turn(runtime) == 4
    assert published(runtime) == {owners[0]: 2, owners[1]: 1, None: 1}


def test_whoever_has_fewest_jobs_at_work_is_served_first(
    runtime: Runtime, owners: list[int]
) -> None:
    backlog(runtime, owners[0], 10)
    pace = Pace(runtime.settings, "short")
    assert turn(runtime, pace) == 4
    backlog(runtime, owners[1], 10)
    finish_everything(runtime, owners[0], at_most=3)

    assert turn(runtime, pace) == 3
    assert published(runtime) == {owners[0]: 2, owners[1]: 2}


def test_owners_take_turns_even_where_the_window_is_smaller_than_their_number(
    runtime: Runtime, owners: list[int]
) -> None:
    runtime = narrow(runtime, 1)
    for owner in owners:
        backlog(runtime, owner, 5)
    pace = Pace(runtime.settings, "short")
    served: list[int | None] = []
    for _ in range(6):
        assert turn(runtime, pace) == 1
        served += list(published(runtime))
        finish_everything(runtime)

    assert served == owners * 2


def test_an_owners_jobs_go_out_in_the_order_they_were_due(
    runtime: Runtime, outbox: Outbox, owners: list[int]
) -> None:
    backlog(runtime, owners[0], 50, operation="diagnostics.sleep")
    backlog(runtime, owners[0], 50, operation="diagnostics.echo")
    oldest = select(Job.id).order_by(Job.run_at, Job.id)
    with runtime.sessions() as session:
        first = list(session.scalars(oldest.limit(1)))
    turn(runtime)
    assert outbox.sent[0] in first


def test_an_operation_runs_no_more_jobs_than_it_says_and_others_pass_by(
    runtime: Runtime, owners: list[int]
) -> None:
    limited = declared(runtime, max_running=2)
    backlog(limited, owners[0], 100)
    backlog(limited, owners[1], 100)
    backlog(limited, owners[0], 1, operation="diagnostics.sleep")

    assert turn(limited) == 3
    assert published(limited, "diagnostics.echo") == {owners[0]: 1, owners[1]: 1}
    assert published(limited, "diagnostics.sleep") == {owners[0]: 1}
    assert turn(limited) == 0
    finish_everything(limited)
    assert turn(limited) == 2


def test_an_operation_runs_no_more_jobs_of_an_owner_than_it_says(
    runtime: Runtime, owners: list[int]
) -> None:
    limited = declared(runtime, max_running_per_owner=1)
    backlog(limited, owners[0], 100)
    backlog(limited, owners[1], 100)

    turn(limited)
    assert published(limited) == {owners[0]: 1, owners[1]: 1}


def test_a_setting_bounds_what_an_owner_runs_in_a_class_of_queue(
    runtime: Runtime, owners: list[int]
) -> None:
    settings = runtime.settings.model_copy(update={"owner_max_running": {"short": 2}})
    limited = replace(runtime, settings=settings)
    backlog(limited, owners[0], 50)
    backlog(limited, owners[0], 50, queue="short_low")
    backlog(limited, owners[1], 1, queue="short_low")

    turn(limited)
    turn(limited, Pace(settings, "short_low"))
    assert published(limited) == {owners[0]: 2, owners[1]: 1}


def test_a_job_beyond_a_limit_is_accepted_and_waits(
    runtime: Runtime, outbox: Outbox, owners: list[int]
) -> None:
    limited = declared(runtime, max_running_per_owner=1)
    first, second = echo(limited, owners[0]), echo(limited, owners[0])
    third = echo(limited, owners[1])
    assert outbox.sent == [first]

    assert turn(limited) == 1
    assert outbox.sent == [first, third]
    finish_everything(limited)
    assert turn(limited) == 1
    assert outbox.sent[-1] == second


def test_a_claim_beyond_a_limit_gives_the_job_back_to_the_dispatcher(
    runtime: Runtime, owners: list[int]
) -> None:
    limited = declared(runtime, max_running_per_owner=1)
    mine, mine_too, anothers = (echo(runtime, owner) for owner in (owners[0], owners[0], owners[1]))
    token = uuid4()

    assert claim(limited, mine, token) is not None
    assert claim(limited, mine_too) is None
    assert claim(limited, anothers) is not None
    assert claim(limited, mine, token) is not None  # the answer was lost, it asks again
    with runtime.sessions() as session:
        assert session.get_one(Job, mine_too).published_at is None


def test_jobs_of_a_paused_queue_hold_no_place_under_limits_that_other_queues_share(
    runtime: Runtime, owners: list[int]
) -> None:
    limited = declared(runtime, max_running=1)
    backlog(limited, owners[0], 1, queue="short_low")
    backlog(limited, owners[0], 1)
    assert dispatch.publish_due(limited, "short_low") == 1
    assert turn(limited) == 0

    queue_states.pause(limited, "short_low", by=None)

    assert turn(limited) == 1
    queue_states.resume(limited, "short_low", by=None)
    finish_everything(limited)
    assert dispatch.publish_due(limited, "short_low") == 1


def test_a_wake_up_that_comes_after_its_queue_was_paused_holds_no_place_either(
    runtime: Runtime, owners: list[int]
) -> None:
    limited = declared(runtime, max_running=1)
    first = echo(limited, owners[0])
    queue_states.pause(limited, "short", by=None)
    with runtime.sessions.begin() as session:  # a dispatcher looked before, and published after
        session.execute(update(Job).values(published_at=func.now()))

    assert claim(limited, first) is None
    assert published(limited) == {}


@pytest.mark.parametrize("reason", ["of a newer version", "paused"])
def test_what_a_list_names_and_nobody_may_take_here_leaves_the_window_to_others(
    runtime: Runtime, owners: list[int], reason: str
) -> None:
    backlog(runtime, owners[0], WINDOW)
    assert turn(runtime) == WINDOW
    with runtime.sessions.begin() as session:
        if reason == "paused":
            session.add(QueueState(name="short", paused_at=func.now()))
        else:
            session.execute(update(Job).values(operation_version=ECHO.version + 1))
        ids = session.scalars(select(Job.id)).all()

    wakeups = [Wakeup(job_id, 0, ECHO.name, "short") for job_id in ids]
    assert claims.claim_many(runtime, ECHO, wakeups, "test", uuid4()) == []
    assert published(runtime) == {}


def test_a_low_queue_gets_the_room_that_the_other_leaves(
    runtime: Runtime, owners: list[int]
) -> None:
    backlog(runtime, owners[0], 3)
    backlog(runtime, owners[0], 10, queue="short_low")
    low = Pace(runtime.settings, "short_low")

    assert turn(runtime) == 3
    assert turn(runtime, low) == 1
    backlog(runtime, owners[0], 10)
    assert turn(runtime, low) == 0
    assert turn(runtime) == 1  # its own window counts its own wake-ups alone


def test_a_turn_costs_as_little_beside_fifty_thousand_jobs_that_wait(
    runtime: Runtime, owners: list[int]
) -> None:
    backlog(runtime, owners[0], 50_000)
    backlog(runtime, owners[1], 1)
    bounds = Pace(runtime.settings, "short").bounds()
    with runtime.sessions() as session:
        before = session.scalars(_ROWS_READ).one()  # by transactions that are not counted yet
        taken = take_turn(runtime, session, queue="short", bounds=bounds)
        rows_read = session.scalars(_ROWS_READ).one() - before
    assert len(taken.wakeups) == WINDOW
    assert 0 < rows_read < 500


def test_a_full_window_is_not_the_end_of_a_backlog(runtime: Runtime, owners: list[int]) -> None:
    """Or the window would shrink, whenever the dispatcher was quicker than the workers."""
    backlog(runtime, owners[0], 10)
    assert turn(runtime) == WINDOW
    bounds = Pace(runtime.settings, "short").bounds()
    with runtime.sessions() as session:
        taken = take_turn(runtime, session, queue="short", bounds=bounds)
    assert taken.wakeups == []
    assert taken.may_go_on


@pytest.mark.parametrize("operation", ["diagnostics.sleep", "diagnostics.echo"])
def test_a_job_that_was_begun_comes_before_its_owners_backlog(
    runtime: Runtime, owners: list[int], operation: str
) -> None:
    """Also one that became due only after the backlog, as after a hand-over with a delay."""
    backlog(runtime, owners[0], 100, operation=operation)
    begun = echo(runtime, owners[0])
    with runtime.sessions.begin() as session:
        session.execute(update(Job).where(Job.id == begun).values(attempt=1, published_at=None))
    outbox = Outbox()

    assert turn(replace(runtime, publisher=outbox)) == WINDOW
    assert outbox.sent[0] == begun


def test_nothing_due_is_seen_without_a_turn(runtime: Runtime, owners: list[int]) -> None:
    backlog(runtime, owners[0], 1)
    paces = {queue: Pace(runtime.settings, queue) for queue in ("short", "long")}
    assert dispatch.publish_all_due(runtime, paces) == 1
    assert dispatch.publish_all_due(runtime, paces) == 0


class LookAmiss(Pace):
    """Its look fails."""

    def look(self, session: Session) -> None:
        stops("57014", session)


class BoundsAmiss(Pace):
    """Its turn fails."""

    def bounds(self) -> Bounds:
        raise LookupError(self.queue)


@pytest.mark.parametrize("amiss", [LookAmiss, BoundsAmiss])
def test_a_queue_whose_turn_fails_keeps_none_from_its_own(
    runtime: Runtime, owners: list[int], amiss: type[Pace]
) -> None:
    for queue in ("long", "short"):
        backlog(runtime, owners[0], 1, queue=queue)
    paces = {"long": amiss(runtime.settings, "long"), "short": Pace(runtime.settings, "short")}
    dispatch.publish_all_due(runtime, paces)
    with runtime.sessions() as session:
        sent = session.scalars(select(Job.queue).where(Job.published_at.is_not(None))).all()
    assert "short" in sent


def turn(runtime: Runtime, pace: Pace | None = None) -> int:
    return dispatch.publish_due(runtime, pace.queue if pace else "short", pace)


def backlog(
    runtime: Runtime,
    owner: int | None,
    number: int,
    *,
    operation: str = "diagnostics.echo",
    queue: str = "short",
) -> None:
    """Jobs that have been waiting for an hour."""
    values = {"operation": operation, "owner": owner, "queue": queue, "number": number}
    with runtime.sessions.begin() as session:
        session.execute(_BACKLOG, values)


def published(runtime: Runtime, operation: str | None = None) -> dict[int | None, int]:
    """How many wake-ups are outstanding, by owner."""
    query = select(Job.owner_id, func.count()).group_by(Job.owner_id)
    query = query.where(Job.status == "queued", Job.published_at.isnot(None))
    if operation:
        query = query.where(Job.operation == operation)
    with runtime.sessions() as session:
        return {row[0]: row[1] for row in session.execute(query)}


def finish_everything(runtime: Runtime, owner: int | None = None, *, at_most: int = 1000) -> None:
    """What is outstanding ends, as if workers had run it."""
    outstanding = select(Job.id).where(Job.status == "queued", Job.published_at.isnot(None))
    if owner is not None:
        outstanding = outstanding.where(Job.owner_id == owner)
    ended = update(Job).where(Job.id.in_(outstanding.limit(at_most)))
    with runtime.sessions.begin() as session:
        session.execute(ended.values(status="completed", finished_at=func.now()))


def declared(runtime: Runtime, **limits: Any) -> Runtime:
    """The same with limits on `diagnostics.echo`."""
    return replace(runtime, registry=Registry((replace(ECHO, **limits), SLEEP)))


def narrow(runtime: Runtime, window: int) -> Runtime:
    """The same with so small a window."""
    update = {"short_slots": window, "job_window_factor": 1}
    return replace(runtime, settings=runtime.settings.model_copy(update=update))


def echo(runtime: Runtime, owner: int) -> UUID:
    return submit(runtime, Submission("diagnostics.echo", {}, owner_id=owner))


def claim(runtime: Runtime, job_id: UUID, token: UUID | None = None) -> claims.Claim | None:
    wakeup = Wakeup(job_id, 0, "diagnostics.echo", "short")
    return claims.claim(runtime, wakeup, "test", token or uuid4())
