"""Every operation is complete, and every queue is consumed."""

import re
from typing import Any

import pytest

from celeryconfig import QUEUES
from stellwerk.bootstrap import registry
from stellwerk.configuration.entries import FAIL_CLOSED
from stellwerk.identity.permissions import PERMISSIONS
from stellwerk.jobs.operation import Operation
from stellwerk.shipped import shipped
from stellwerk_workers.handlers import load_handlers, undo_of

OPERATIONS = list(registry())


def named(operation: Operation) -> str:
    return operation.name


@pytest.mark.parametrize("operation", OPERATIONS, ids=named)
class TestEveryOperation:
    def test_is_named_noun_dot_verb(self, operation: Operation) -> None:
        assert re.fullmatch(r"[a-z_]+\.[a-z_]+", operation.name)

    def test_has_a_handler(self, operation: Operation) -> None:
        assert operation.name in load_handlers()

    def test_has_a_known_permission(self, operation: Operation) -> None:
        assert operation.permission in PERMISSIONS

    def test_has_a_time_limit_and_a_retry_policy(self, operation: Operation) -> None:
        assert operation.time_limit_s > 0
        assert operation.retry.max_attempts >= 1

    def test_goes_to_a_declared_queue(self, operation: Operation) -> None:
        assert operation.queue in QUEUES

    def test_can_undo_the_steps_it_says(self, operation: Operation) -> None:
        load_handlers()
        for step in operation.undoable_steps():
            assert callable(undo_of(operation.name, step))

    def test_has_upcasters_for_every_older_version(self, operation: Operation) -> None:
        assert set(operation.upcasters) == set(range(1, operation.version))


def test_what_costs_money_is_limited_also_while_redis_cannot_count() -> None:
    paid = [operation for operation in OPERATIONS if operation.estimate_eur]
    assert paid
    assert {operation.rate_class for operation in paid} <= set(FAIL_CLOSED.default)


@pytest.mark.parametrize("queue", QUEUES)
def test_every_queue_has_a_consumer_in_the_procfile(queue: str) -> None:
    workers = [line for line in _procfile() if " worker " in line]
    consumed = {name for line in workers for name in _queues(line)}
    assert queue in consumed


def test_no_worker_consumes_a_queue_that_is_not_declared() -> None:
    for line in _procfile():
        assert set(_queues(line)) <= set(QUEUES), line


def _procfile() -> list[str]:
    return shipped("Procfile").read_text().splitlines()


def _queues(line: str) -> Any:
    found = re.search(r"-Q (\S+)", line)
    return found[1].split(",") if found else ()
