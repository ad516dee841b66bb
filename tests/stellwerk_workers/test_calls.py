"""The job of a call, from its intent to its record; the switch is a list of events here."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text

from again import in_one_of_few_tries
from attempts import attempt
from calling import (
    TRUNK,
    call_of,
    claim,
    event,
    hold_trunk,
    let_pass,
    originate,
    signals_of,
    spoil,
    stored,
    told,
)
from embedded import wait_until
from people import add_user
from statements import counted
from stellwerk.bootstrap import Platform
from stellwerk.calls import dialing
from stellwerk.errors import Conflict
from stellwerk.jobs import control, queries, spending
from stellwerk.jobs.model import Job
from stellwerk.jobs.resolution import Resolution, resolve
from stellwerk.providers.calls.protocol import Dial, EventKind
from stellwerk_workers.reports import Came

E = EventKind
CALLS = 8


@pytest.fixture
def user_id(platform: Platform) -> int:
    hold_trunk(platform)
    return add_user(platform)


def document(platform: Platform, job_id: UUID) -> dict[str, Any]:
    runtime = platform.runtime
    with runtime.sessions() as session:
        return queries.unsealed(session, runtime.registry, runtime.vault, job_id)


def waiting(platform: Platform, user_id: int, **fields: Any) -> UUID:
    """A job that waits for its call, which may be dialled."""
    job_id = originate(platform, user_id, **fields)
    assert attempt(platform.runtime, job_id) is Came.AGAIN
    assert document(platform, job_id)["status"] == "waiting"
    return job_id


def under_way(platform: Platform, user_id: int) -> tuple[UUID, Dial]:
    """The same, with the intent stored."""
    job_id = waiting(platform, user_id)
    (dial,) = claim(platform)
    return job_id, dial


def hung_up(platform: Platform, dial: Dial, cause: str = "USER_BUSY") -> None:
    told(
        platform,
        event(dial.call_id, E.CREATED),
        event(dial.call_id, E.HUNG_UP, 2, cause=cause),
    )


def step_state(platform: Platform, job_id: UUID) -> str:
    query = text("SELECT state FROM job_steps WHERE job_id = :id AND step = 'dial'")
    with platform.runtime.sessions() as session:
        return str(session.scalars(query, {"id": job_id}).one())


def test_a_busy_number_ends_the_call_without_a_retry(platform: Platform, user_id: int) -> None:
    job_id, dial = under_way(platform, user_id)
    assert step_state(platform, job_id) == "intent"

    hung_up(platform, dial)
    assert document(platform, job_id)["status"] == "queued"
    assert attempt(platform.runtime, job_id) is Came.COMPLETED

    result = document(platform, job_id)["result"]
    assert result["state"] == "busy"
    assert result["to"] == "+493012341005"
    assert step_state(platform, job_id) == "done"
    assert claim(platform) == []


def test_a_job_ends_well_though_nobody_can_read_the_number_any_more(
    platform: Platform, user_id: int
) -> None:
    job_id, dial = under_way(platform, user_id)
    spoil(platform, dial.call_id)
    hung_up(platform, dial)
    assert attempt(platform.runtime, job_id) is Came.COMPLETED
    result = document(platform, job_id)["result"]
    assert (result["state"], result["to"]) == ("busy", None)


def test_thirty_jobs_a_second_are_affordable_since_each_asks_little_of_postgres(
    platform: Platform, user_id: int
) -> None:
    def count() -> None:
        job_id = originate(platform, user_id)
        with counted(platform.engine) as asking:
            assert attempt(platform.runtime, job_id) is Came.AGAIN
        hung_up(platform, claim(platform)[0])
        with counted(platform.engine) as ending:
            assert attempt(platform.runtime, job_id) is Came.COMPLETED

        assert (asking.commits, ending.commits) == (4, 4)  # one of each is the test's own
        assert asking.statements <= 15
        assert ending.statements <= 27

    in_one_of_few_tries(count)  # an attempt that lasts has its lease renewed


def test_what_happens_to_many_calls_at_once_is_stored_at_little_cost_for_each(
    platform: Platform,
) -> None:
    hold_trunk(platform)
    callers = [add_user(platform) for _ in range(CALLS)]
    for caller in callers:
        waiting(platform, caller)
    dials = claim(platform, CALLS)
    orders = [dialing.Taken(dial.call_id, dial.attempt, None) for dial in dials]
    with counted(platform.engine) as sent:
        dialing.taken(platform.runtime, orders)
        told(platform, *(event(dial.call_id, E.RINGING) for dial in dials))

    assert sent.commits == 2
    assert sent.statements <= 10 + 2 * CALLS


def test_nothing_of_a_calls_job_tells_its_numbers_in_clear(
    platform: Platform, user_id: int
) -> None:
    job_id = waiting(platform, user_id, **{"from": "+493012341000", "caller_id": "+49301234567"})
    hung_up(platform, claim(platform)[0])
    with platform.runtime.sessions() as session:
        rows = session.scalars(
            text(
                "SELECT to_jsonb(j)::text FROM jobs j UNION ALL "
                "SELECT to_jsonb(s)::text FROM job_steps s UNION ALL "
                "SELECT to_jsonb(c)::text FROM calls c UNION ALL "
                "SELECT to_jsonb(e)::text FROM call_events e"
            )
        ).all()
    assert rows
    assert not [row for row in rows if "1234567" in row or "1234100" in row]
    assert document(platform, job_id)["status"] != "failed"


def test_a_signal_of_somebody_else_does_not_end_the_call(platform: Platform, user_id: int) -> None:
    job_id, dial = under_way(platform, user_id)

    control.signal(platform.runtime, job_id, "call.ended", data={"state": "completed"})

    assert attempt(platform.runtime, job_id) is Came.AGAIN
    hung_up(platform, dial)
    assert attempt(platform.runtime, job_id) is Came.COMPLETED
    assert document(platform, job_id)["result"]["state"] == "busy"


def test_what_nobody_can_tell_of_waits_for_a_person(platform: Platform, user_id: int) -> None:
    job_id, dial = under_way(platform, user_id)

    dialing.uncertain(platform.runtime, TRUNK, dial.call_id)

    assert attempt(platform.runtime, job_id) is Came.FAILED
    error = document(platform, job_id)["error"]
    assert error["code"] == "EFFECT_UNCERTAIN"
    assert error["details"] == {"effect": "dial", "key": ""}
    control.retry(platform.runtime, job_id)
    assert attempt(platform.runtime, job_id) is Came.FAILED
    assert claim(platform) == []


def test_what_it_may_cost_is_set_aside_until_somebody_finds_out(
    platform: Platform, user_id: int
) -> None:
    job_id, dial = under_way(platform, user_id)
    most = set_aside(platform, user_id)
    dialing.uncertain(platform.runtime, TRUNK, dial.call_id)
    attempt(platform.runtime, job_id)
    assert set_aside(platform, user_id) == most > 0
    control.retry(platform.runtime, job_id)  # which finds out nothing
    attempt(platform.runtime, job_id)
    assert set_aside(platform, user_id) == most

    resolve(platform.runtime, job_id, Resolution("dial", happened=False))
    assert set_aside(platform, user_id) == most
    attempt(platform.runtime, job_id)
    (again,) = claim(platform)
    dialing.uncertain(platform.runtime, TRUNK, again.call_id)
    attempt(platform.runtime, job_id)
    assert set_aside(platform, user_id) == most

    resolve(platform.runtime, job_id, Resolution("dial", happened=True))
    assert attempt(platform.runtime, job_id) is Came.COMPLETED
    assert set_aside(platform, user_id) == 0


def test_it_is_set_aside_until_the_end_is_heard_after_all(platform: Platform, user_id: int) -> None:
    job_id, dial = under_way(platform, user_id)
    most = set_aside(platform, user_id)
    dialing.uncertain(platform.runtime, TRUNK, dial.call_id)
    attempt(platform.runtime, job_id)
    told(platform, event(dial.call_id, E.ANSWERED, 1))
    assert set_aside(platform, user_id) == most
    told(platform, event(dial.call_id, E.HUNG_UP, 61, cause="NORMAL_CLEARING"))
    assert set_aside(platform, user_id) == 0


def set_aside(platform: Platform, user_id: int) -> Decimal:
    with platform.runtime.sessions() as session:
        return spending.reserved(session, user_id)


def test_it_is_dialled_again_where_a_person_says_that_it_was_not(
    platform: Platform, user_id: int
) -> None:
    job_id, dial = under_way(platform, user_id)
    dialing.uncertain(platform.runtime, TRUNK, dial.call_id)
    attempt(platform.runtime, job_id)

    resolve(platform.runtime, job_id, Resolution("dial", happened=False))

    assert attempt(platform.runtime, job_id) is Came.AGAIN
    (again,) = claim(platform)
    assert (again.call_id, again.attempt) == (dial.call_id, 2)
    hung_up(platform, again)
    assert attempt(platform.runtime, job_id) is Came.COMPLETED


def test_what_was_heard_of_the_former_call_is_not_the_new_ones(
    platform: Platform, user_id: int
) -> None:
    job_id, dial = under_way(platform, user_id)
    told(platform, event(dial.call_id, E.CREATED), event(dial.call_id, E.RINGING, 1))
    dialing.uncertain(platform.runtime, TRUNK, dial.call_id)
    attempt(platform.runtime, job_id)
    resolve(platform.runtime, job_id, Resolution("dial", happened=False))
    attempt(platform.runtime, job_id)
    (again,) = claim(platform)

    assert stored(platform, again.call_id).ringing_at is None
    told(platform, event(again.call_id, E.CREATED, 60))
    assert stored(platform, again.call_id).state == "dialing"
    hung_up(platform, again)
    assert attempt(platform.runtime, job_id) is Came.COMPLETED


def test_it_is_not_dialled_again_where_a_person_says_that_it_was(
    platform: Platform, user_id: int
) -> None:
    job_id, dial = under_way(platform, user_id)
    dialing.uncertain(platform.runtime, TRUNK, dial.call_id)
    attempt(platform.runtime, job_id)

    output = {"state": "no_answer"}
    resolve(platform.runtime, job_id, Resolution("dial", happened=True, output=output))

    assert attempt(platform.runtime, job_id) is Came.COMPLETED
    assert document(platform, job_id)["result"]["state"] == "no_answer"
    assert stored(platform, dial.call_id).state == "no_answer"
    assert claim(platform) == []


@pytest.mark.parametrize("said", [["busy"], {"of": "busy"}, "spoken", 7])
def test_a_state_that_is_none_is_not_taken_for_one(
    platform: Platform, user_id: int, said: Any
) -> None:
    job_id, dial = under_way(platform, user_id)
    dialing.uncertain(platform.runtime, TRUNK, dial.call_id)
    attempt(platform.runtime, job_id)

    resolve(platform.runtime, job_id, Resolution("dial", happened=True, output={"state": said}))

    assert attempt(platform.runtime, job_id) is Came.COMPLETED
    call = stored(platform, dial.call_id)
    assert (call.state, call.cost_eur) == ("completed", None)


def test_a_call_that_certainly_was_not_dialled_fails_and_can_be_retried(
    platform: Platform, user_id: int
) -> None:
    job_id, dial = under_way(platform, user_id)
    dialing.refused(platform.runtime, dial, cause="INVALID_GATEWAY")
    assert attempt(platform.runtime, job_id) is Came.FAILED
    assert document(platform, job_id)["error"]["code"] == "PROVIDER_REJECTED"

    control.retry(platform.runtime, job_id)

    assert attempt(platform.runtime, job_id) is Came.AGAIN
    assert len(claim(platform)) == 1


def test_a_call_that_nobody_dials_in_time_fails(platform: Platform, user_id: int) -> None:
    job_id = waiting(platform, user_id)
    let_pass(platform, call_of(platform, job_id).id, 400)

    assert claim(platform) == []
    assert run_out(platform, job_id) is Came.FAILED

    assert document(platform, job_id)["error"]["code"] == "PROVIDER_UNAVAILABLE"
    assert call_of(platform, job_id).cause == "NOT_DIALLED_IN_TIME"


def test_a_call_of_which_nobody_hears_any_more_is_uncertain(
    platform: Platform, user_id: int
) -> None:
    job_id, dial = under_way(platform, user_id)
    assert run_out(platform, job_id) is Came.AGAIN  # it may last longer than it may wait
    let_pass(platform, dial.call_id, 4500)

    assert run_out(platform, job_id) is Came.FAILED

    assert document(platform, job_id)["error"]["code"] == "EFFECT_UNCERTAIN"


def test_a_spoken_call_that_is_overdue_has_ended_and_is_hung_up(
    platform: Platform, user_id: int
) -> None:
    job_id, dial = under_way(platform, user_id)
    told(platform, event(dial.call_id, E.CREATED), event(dial.call_id, E.ANSWERED, 1))
    let_pass(platform, dial.call_id, 4500)

    assert run_out(platform, job_id) is Came.COMPLETED

    result = document(platform, job_id)["result"]
    assert (result["state"], result["cause"]) == ("completed", "LOST")
    (left_up,) = dialing.to_hang_up(platform.runtime, TRUNK)
    assert (left_up.call_id, left_up.has_ended) == (dial.call_id, True)


def run_out(platform: Platform, job_id: UUID) -> Came:
    """The present wait's time is over."""
    statement = text(
        """UPDATE job_steps SET output = '{"until": "2020-01-01T00:00:00+00:00"}'
        WHERE job_id = :id AND kind = 'wait' AND state = 'intent'"""
    )
    with platform.runtime.sessions.begin() as session:
        session.execute(statement, {"id": job_id})
        session.execute(text("UPDATE jobs SET status = 'queued' WHERE id = :id"), {"id": job_id})
    return attempt(platform.runtime, job_id)


class TestCancelling:
    """The job is cancelled: what becomes of its call."""

    def test_before_it_was_asked_for(self, platform: Platform, user_id: int) -> None:
        job_id = originate(platform, user_id)

        control.cancel(platform.runtime, job_id)

        assert call_of(platform, job_id).state == "cancelled"

    def test_before_it_was_dialled(self, platform: Platform, user_id: int) -> None:
        job_id = waiting(platform, user_id)

        control.cancel(platform.runtime, job_id)

        assert call_of(platform, job_id).state == "cancelled"
        assert claim(platform) == []

    def test_while_it_rings_it_is_hung_up(self, platform: Platform, user_id: int) -> None:
        job_id, dial = under_way(platform, user_id)
        told(platform, event(dial.call_id, E.CREATED), event(dial.call_id, E.RINGING, 1))

        control.cancel(platform.runtime, job_id)

        (wanted,) = dialing.to_hang_up(platform.runtime, TRUNK)
        assert wanted.call_id == dial.call_id
        dialing.hang_up_sent(platform.runtime, [dial.call_id])
        assert dialing.to_hang_up(platform.runtime, TRUNK) == []
        told(platform, event(dial.call_id, E.HUNG_UP, 2, cause="ORIGINATOR_CANCEL"))
        assert call_of(platform, job_id).state == "cancelled"
        assert signals_of(platform, job_id) == []

    def test_while_it_is_spoken_it_is_completed(self, platform: Platform, user_id: int) -> None:
        job_id, dial = under_way(platform, user_id)
        told(platform, event(dial.call_id, E.ANSWERED, 1))

        control.cancel(platform.runtime, job_id)
        told(platform, event(dial.call_id, E.HUNG_UP, 9, cause="NORMAL_CLEARING"))

        call = call_of(platform, job_id)
        assert (call.state, call.billable_s) == ("completed", 8)

    def test_what_was_dialled_is_not_retried(self, platform: Platform, user_id: int) -> None:
        job_id, dial = under_way(platform, user_id)
        control.cancel(platform.runtime, job_id)
        with pytest.raises(Conflict, match="dialled already"):
            control.retry(platform.runtime, job_id)
        told(platform, event(dial.call_id, E.HUNG_UP, 2, cause="ORIGINATOR_CANCEL"))
        with pytest.raises(Conflict, match="dialled already"):
            control.retry(platform.runtime, job_id)

    def test_what_was_not_is(self, platform: Platform, user_id: int) -> None:
        job_id = waiting(platform, user_id)
        control.cancel(platform.runtime, job_id)

        control.retry(platform.runtime, job_id)

        assert attempt(platform.runtime, job_id) is Came.AGAIN
        assert len(claim(platform)) == 1

    def test_one_that_was_to_be_dialled_and_was_not_is_not_any_more(
        self, platform: Platform, user_id: int
    ) -> None:
        job_id, dial = under_way(platform, user_id)
        control.cancel(platform.runtime, job_id)

        dialing.put_off(platform.runtime, dial, cause="GATEWAY_DOWN", after_s=0.0)

        assert call_of(platform, job_id).state == "cancelled"


@pytest.mark.usefixtures("engine")
def test_real_workers_wait_for_a_call_without_a_slot_and_end_with_it(platform: Platform) -> None:
    hold_trunk(platform)
    user_id = add_user(platform, subscription_tier="enterprise")
    jobs = [originate(platform, user_id) for _ in range(12)]  # more than the workers' slots

    wait_until(lambda: len(listed(platform, "waiting")) == len(jobs))
    dials = claim(platform, 20)
    assert len(dials) == len(jobs)
    for dial in dials:
        hung_up(platform, dial)

    wait_until(lambda: len(listed(platform, "completed")) == len(jobs))
    assert {document(platform, job_id)["result"]["state"] for job_id in jobs} == {"busy"}


def listed(platform: Platform, status: str) -> list[UUID]:
    with platform.runtime.sessions() as session:
        return list(session.scalars(select(Job.id).where(Job.status == status)))
