"""What events say about a call, whatever order they come in."""

from collections.abc import Sequence
from random import Random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calling import event
from stellwerk.calls import causes
from stellwerk.calls.course import course
from stellwerk.calls.states import ENDED, PROGRESS, CallState
from stellwerk.providers.calls.protocol import CallEvent, EventKind, Leg

E, CALL = EventKind, UUID(int=1)
CREATED, RINGING = event(CALL, E.CREATED), event(CALL, E.RINGING, 1)
EARLY, ANSWERED = event(CALL, E.EARLY_MEDIA, 2), event(CALL, E.ANSWERED, 3)


def end(cause: str, after_s: float = 10, billable_s: int | None = None) -> CallEvent:
    return event(CALL, E.HUNG_UP, after_s, cause=cause, billable_s=billable_s)


def first(kind: EventKind, after_s: float, cause: str | None = None) -> CallEvent:
    return event(CALL, kind, after_s, leg=Leg.FIRST, cause=cause)


NORMAL = "NORMAL_CLEARING"
SINGLE: dict[str, tuple[Sequence[CallEvent], str]] = {
    "dialing": ([CREATED], "dialing"),
    "ringing": ([CREATED, RINGING], "ringing"),
    "early media is no answer": ([CREATED, EARLY], "ringing"),
    "answered": ([CREATED, RINGING, ANSWERED], "answered"),
    "answered without ringing": ([CREATED, ANSWERED], "answered"),
    "completed": ([CREATED, ANSWERED, end(NORMAL)], "completed"),
    "completed, whatever ended it": ([ANSWERED, end("NETWORK_OUT_OF_ORDER")], "completed"),
    "completed by what is paid": ([CREATED, end(NORMAL, billable_s=4)], "completed"),
    "busy": ([CREATED, end("USER_BUSY")], "busy"),
    "rings, then busy": ([CREATED, RINGING, end("USER_BUSY")], "busy"),
    "no answer": ([CREATED, RINGING, end("NO_ANSWER")], "no_answer"),
    "not registered": ([CREATED, end("USER_NOT_REGISTERED")], "no_answer"),
    "rejected": ([CREATED, end("CALL_REJECTED")], "failed"),
    "unallocated": ([CREATED, end("UNALLOCATED_NUMBER")], "failed"),
    "congestion": ([CREATED, end("NORMAL_CIRCUIT_CONGESTION")], "failed"),
    "hung up by us": ([CREATED, RINGING, end("ORIGINATOR_CANCEL")], "cancelled"),
    "killed while it rings": ([CREATED, RINGING, end(NORMAL)], "cancelled"),
    "a cause that nobody knows": ([CREATED, end("MARTIAN")], "failed"),
}
A_RINGS, A_ANSWERS = first(E.RINGING, 0.1), first(E.ANSWERED, 0.5)
CLICKS: dict[str, tuple[Sequence[CallEvent], str]] = {
    "the first leg rings": ([A_RINGS], "dialing"),
    "the first leg's answer is none": ([A_RINGS, A_ANSWERS], "dialing"),
    "the second is dialled": ([A_ANSWERS, CREATED], "dialing"),
    "the second rings": ([A_ANSWERS, CREATED, RINGING], "ringing"),
    "the second answers": ([A_ANSWERS, CREATED, ANSWERED], "answered"),
    "the second is busy": ([A_ANSWERS, CREATED, end("USER_BUSY")], "dialing"),
    "and the first hears it": (
        [A_ANSWERS, CREATED, end("USER_BUSY"), first(E.HUNG_UP, 11, "USER_BUSY")],
        "busy",
    ),
    "the first does not answer": ([A_RINGS, first(E.HUNG_UP, 9, "NO_ANSWER")], "no_answer"),
    "the first hangs up at once": ([A_ANSWERS, first(E.HUNG_UP, 1, NORMAL)], "cancelled"),
    "the first hangs up before the second answers": (
        [A_ANSWERS, CREATED, first(E.HUNG_UP, 4, NORMAL), end("ORIGINATOR_CANCEL", 4)],
        "cancelled",
    ),
    "they spoke": (
        [A_ANSWERS, CREATED, ANSWERED, end(NORMAL), first(E.HUNG_UP, 10.1, NORMAL)],
        "completed",
    ),
}


@pytest.mark.parametrize(("events", "state"), SINGLE.values(), ids=list(SINGLE))
def test_a_call_is_where_its_events_say(events: Sequence[CallEvent], state: str) -> None:
    assert course(events, has_first=False).state == state


@pytest.mark.parametrize(("events", "state"), CLICKS.values(), ids=list(CLICKS))
def test_of_two_legs_the_called_one_decides(events: Sequence[CallEvent], state: str) -> None:
    assert course(events, has_first=True).state == state


def test_both_legs_are_paid_from_their_own_answer() -> None:
    events = [A_ANSWERS, CREATED, ANSWERED, end(NORMAL), first(E.HUNG_UP, 10.5, NORMAL)]
    found = course(events, has_first=True)
    assert (found.billable_s, found.first_billable_s, found.duration_s) == (7, 10, 7)


def test_what_was_answered_and_ended_within_a_second_is_paid() -> None:
    """A switch counts whole seconds of its clock: it tells 0 of 80 ms."""
    assert course([ANSWERED, end(NORMAL, billable_s=0)], has_first=False).billable_s == 1
    assert course([CREATED, end("USER_BUSY", billable_s=0)], has_first=False).billable_s == 0


def test_every_cause_of_the_table_ends_a_call() -> None:
    assert set(causes.UNANSWERED.values()) <= ENDED - {CallState.COMPLETED}


_EVENTS = st.lists(
    st.builds(
        event,
        st.just(CALL),
        st.sampled_from(sorted(set(E) - {E.REFUSED})),
        st.integers(0, 30),
        leg=st.sampled_from(sorted(Leg)),
        cause=st.sampled_from([NORMAL, "USER_BUSY", "NO_ANSWER", "CALL_REJECTED"]),
        billable_s=st.none() | st.integers(0, 9),
    ),
    min_size=1,
    max_size=10,
    unique_by=lambda one: one.key,
)


@given(_EVENTS, st.randoms(use_true_random=False), st.integers(1, 2))
def test_the_order_in_which_events_come_changes_nothing(
    events: list[CallEvent], chance: Random, legs: int
) -> None:
    shuffled = [*events, *events]
    chance.shuffle(shuffled)
    has_first = legs > 1
    assert course(shuffled, has_first=has_first) == course(events, has_first=has_first)


@given(_EVENTS)
def test_a_call_of_one_leg_never_goes_back(events: list[CallEvent]) -> None:
    """As its events come one after another."""
    ours = [one for one in events if one.leg is Leg.TO]
    states = [course(ours[: n + 1], has_first=False).state for n in range(len(ours))]
    steps = [PROGRESS[state] for state in states]
    assert steps == sorted(steps)
