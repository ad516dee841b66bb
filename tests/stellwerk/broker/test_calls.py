"""Which wake-ups travel together: many short jobs of one operation that only compute."""

from collections import Counter
from dataclasses import replace

import pytest

from stellwerk.bootstrap import registry
from stellwerk.broker.calls import FEWEST, LIST_TASK, Call, Grouping
from stellwerk.clock import new_id
from stellwerk.jobs.operation import Registry
from stellwerk.jobs.ports import Wakeup
from stellwerk.settings import Settings

ECHO = "diagnostics.echo"


@pytest.fixture
def grouping(settings: Settings) -> Grouping:
    return Grouping(settings, registry())


def wakeups(number: int, *, operation: str = ECHO, queue: str = "short") -> list[Wakeup]:
    return [Wakeup(new_id(), 0, operation, queue) for _ in range(number)]


def named(calls: list[Call]) -> Counter[str]:
    return Counter(call.name for call in calls)


def test_a_few_jobs_go_one_by_one_spread_over_the_slots(grouping: Grouping) -> None:
    few = wakeups(FEWEST - 1)
    assert [call.task_id for call in grouping.calls(few)] == [item.task_id for item in few]


@pytest.mark.parametrize("number", [FEWEST, 100, 1000])
def test_many_jobs_travel_in_lists_and_each_of_them_once(grouping: Grouping, number: int) -> None:
    many = wakeups(number)
    calls = list(grouping.calls(many))

    assert set(named(calls)) == {LIST_TASK}
    carried = [tuple(pair) for call in calls for pair in call.args[1]]
    assert sorted(carried) == sorted((str(item.job_id), item.attempt) for item in many)
    lengths = [len(call.args[1]) for call in calls]
    assert max(lengths) <= grouping.settings.job_list_length
    assert max(lengths) - min(lengths) <= 1


def test_a_list_holds_jobs_of_one_operation_and_one_queue(grouping: Grouping) -> None:
    purges = wakeups(3, operation="housekeeping.purge")
    mixed = wakeups(20) + purges + wakeups(20, queue="short_low")
    calls = list(grouping.calls(mixed))

    assert named(calls) == {LIST_TASK: 2, "housekeeping.purge": 3}
    assert {call.queue for call in calls if call.name == LIST_TASK} == {"short", "short_low"}


def test_jobs_that_have_a_process_of_their_own_never_share_a_message(grouping: Grouping) -> None:
    assert set(named(list(grouping.calls(wakeups(50, queue="long"))))) == {ECHO}


def test_jobs_with_limits_go_one_by_one(settings: Settings) -> None:
    limited = replace(registry().get(ECHO), max_running=2)
    grouping = Grouping(settings, Registry((limited,)))
    assert set(named(list(grouping.calls(wakeups(50))))) == {ECHO}


def test_lists_can_be_turned_off(settings: Settings) -> None:
    grouping = Grouping(settings.model_copy(update={"job_list_length": 1}), registry())
    assert set(named(list(grouping.calls(wakeups(50))))) == {ECHO}
