"""What an attempt really sends to Postgres: how its row is found, and what waits for the disk."""

import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, text

from embedded import wait_until
from stellwerk.bootstrap import Platform, bootstrap
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.effects import Effect, Repeat
from trial import trial

ASYNC = "SET LOCAL synchronous_commit = off"
# A moment of these may be lost with the machine; of everything else nothing.
MAY_BE_LOST = ("UPDATE jobs SET lease_until", "INSERT INTO job_logs")
VALUES = {
    "uuid": "'01890000-0000-7000-8000-000000000000'",
    "integer": "1",
    "interval": "'1 s'",
    "text": "'completed'",
}

Sent = tuple[str, Any]  # a statement and its values


@dataclass(slots=True)
class Spy:
    """Statements of each transaction that was committed."""

    transactions: list[list[Sent]] = field(default_factory=list)
    _open: dict[Connection, list[Sent]] = field(default_factory=lambda: defaultdict(list))

    def sent(self, connection: Connection, _: Any, statement: str, values: Any, *__: Any) -> None:
        self._open[connection].append((" ".join(statement.split()), values))

    def committed(self, connection: Connection) -> None:
        self.transactions.append(self._open.pop(connection, []))

    def statements(self) -> Iterator[Sent]:
        for transaction in self.transactions:
            yield from transaction


@contextmanager
def watched(engine: Engine) -> Iterator[Spy]:
    spy = Spy()
    event.listen(engine, "before_cursor_execute", spy.sent)
    event.listen(engine, "commit", spy.committed)
    yield spy
    event.remove(engine, "before_cursor_execute", spy.sent)
    event.remove(engine, "commit", spy.committed)


def work(ctx: JobContext, payload: dict[str, Any]) -> None:
    """Something of everything; value 1: nothing."""
    if payload["value"] == 1:
        return
    ctx.step("first", lambda: ctx.progress(0.5, "half"))
    ctx.effect(Effect("call", lambda _: None, Repeat.IDEMPOTENT, call_timeout_s=1))
    ctx.log("a line")
    ctx.cost("openai", "token", Decimal(1), Decimal(1))
    deadline = ctx.lease_deadline  # an effect may have renewed it, too
    wait_until(lambda: ctx.lease_deadline > deadline)  # now the heartbeat did


@pytest.fixture
def spied(platform: Platform) -> Iterator[tuple[Spy, Connection]]:
    """What two jobs sent, one ended plainly, and the one connection that sent it."""
    with closing(bootstrap(platform.settings, role="tests", pool_size=1)) as own:
        with watched(own.engine) as spy, trial(own, work) as run:
            for value in (1, 2):
                job_id = run.submit(value=value)
                run.attempt(job_id)
                assert run.document(job_id)["status"] == "completed"
        with own.engine.connect() as connection:
            yield spy, connection


def test_an_attempts_row_is_found_by_its_id_alone(spied: tuple[Spy, Connection]) -> None:
    spy, connection = spied
    connection.execute(text("SET enable_seqscan = off"))  # there are but two rows
    fenced = [sent for sent in spy.statements() if "lease_token" in sent[0]]
    assert any("SET lease_until" in statement for statement, _ in fenced)
    assert any("finished_at = now()" in statement for statement, _ in fenced)
    fenced += list(prepared(connection))
    indices = set(
        connection.scalars(
            text("""
        SELECT indexname FROM pg_indexes WHERE tablename = 'jobs' AND indexdef LIKE '%lease%'
    """)
        )
    )
    assert indices
    for statement, values in fenced:
        explained = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", values)
        assert not indices & names(explained.scalar_one()), statement


def prepared(connection: Connection) -> Iterator[Sent]:
    """Calls of the statements on the way of every job, which the connection was taught."""
    taught = connection.execute(
        text("""
            SELECT name, parameter_types::text[] AS types FROM pg_prepared_statements
            WHERE name IN ('stellwerk_claim', 'stellwerk_finish')
        """)
    ).all()
    assert len(taught) == 2
    for name, types in taught:
        yield f"EXECUTE {name} ({', '.join(map(value_of, types))})", None


def value_of(kind: str) -> str:
    if kind.endswith("[]"):
        return f"ARRAY[{value_of(kind[:-2])}]::{kind}"
    return f"{VALUES[kind]}::{kind}"


def names(plan: Any) -> set[str]:
    """Of every index in a plan."""
    return {
        value
        for line in json.dumps(plan, indent=0).splitlines()
        for key, _, value in [line.strip(",").replace('"', "").partition(": ")]
        if key == "Index Name"
    }


def test_only_leases_and_log_lines_are_committed_before_they_are_on_disk(
    spied: tuple[Spy, Connection],
) -> None:
    spy, connection = spied
    assert connection.scalar(text("SHOW synchronous_commit")) == "on"
    hasty = [
        statement
        for transaction in spy.transactions
        if ASYNC in dict(transaction)
        for statement, _ in transaction
        if statement != ASYNC
    ]
    assert any(statement.startswith(MAY_BE_LOST[0]) for statement in hasty)
    assert [found for found in hasty if not found.startswith(MAY_BE_LOST)] == []


def test_what_changes_often_stands_in_no_index(platform: Platform) -> None:
    with platform.engine.connect() as connection:
        found = connection.scalars(
            text("""
            SELECT DISTINCT a.attname FROM pg_index i
            JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)
            WHERE i.indrelid = 'jobs'::regclass
        """)
        ).all()
    assert "lease_until" in found
    assert not {"progress", "message", "version", "attempt", "lease_token", "worker"} & set(found)
