"""Which Celery tasks carry which wake-ups: one each, or lists for a backlog of short jobs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from stellwerk.jobs.limits import Limits
from stellwerk.jobs.operation import Registry
from stellwerk.jobs.ports import Wakeup
from stellwerk.jobs.queues import shares_process, slots
from stellwerk.settings import Settings

LIST_TASK = "stellwerk.list"
FEWEST = 16  # jobs in a list; fewer are better off one by one, spread over the slots
USUAL = 32  # jobs in a list, while there are lists enough for all slots


@dataclass(frozen=True, slots=True)
class Call:
    """A task to be sent, with positional arguments (JSON)."""

    name: str
    task_id: str
    args: list[Any]
    queue: str
    shown: str  # the arguments as Flower shows them


def call_of(wakeup: Wakeup) -> Call:
    """The task of the job's operation."""
    args = [str(wakeup.job_id), wakeup.attempt]
    return Call(wakeup.operation, wakeup.task_id, args, wakeup.queue, repr(tuple(args)))


@dataclass(frozen=True, slots=True)
class Grouping:
    """Puts wake-ups of one operation into a list, where a worker's slots are busy anyway."""

    settings: Settings
    registry: Registry

    def calls(self, wakeups: Sequence[Wakeup]) -> Iterator[Call]:
        """The tasks to be sent, those of each operation in the order of their wake-ups."""
        lists: dict[tuple[str, str], list[Wakeup]] = {}
        for wakeup in wakeups:
            lists.setdefault((wakeup.queue, wakeup.operation), []).append(wakeup)
        for together in lists.values():
            yield from self._calls(together)

    def _calls(self, together: list[Wakeup]) -> Iterator[Call]:
        longest, busy = self.settings.job_list_length, slots(self.settings, together[0].queue)
        if len(together) < FEWEST or longest == 1 or not self._may_be_listed(together[0]):
            yield from map(call_of, together)
            return
        number = max(1, -(-len(together) // longest), min(len(together) // USUAL, busy))
        for first in range(number):  # dealt out, so that no list is much shorter than another
            yield _list_of(together[first::number])

    def _may_be_listed(self, wakeup: Wakeup) -> bool:
        """Of short jobs, those that only compute an outcome, as many at once as there are slots."""
        if not shares_process(wakeup.queue) or wakeup.operation not in self.registry:
            return False
        operation = self.registry.get(wakeup.operation)
        is_limited = bool(Limits.of(self.settings, operation, wakeup.queue))
        return not (is_limited or operation.steps or operation.on_end)


def _list_of(wakeups: Sequence[Wakeup]) -> Call:
    pairs = [[str(wakeup.job_id), wakeup.attempt] for wakeup in wakeups]
    operation, queue = wakeups[0].operation, wakeups[0].queue
    shown = f"({operation!r}, <{len(pairs)} jobs>)"
    return Call(LIST_TASK, str(uuid4()), [operation, pairs], queue, shown)
