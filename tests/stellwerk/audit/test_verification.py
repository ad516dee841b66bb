"""Somebody with every right in the database tampers with the record, and it shows."""

import pytest
from sqlalchemy import text

from stellwerk.audit import chain
from stellwerk.audit.actions import Action, Party
from stellwerk.audit.model import AuditEntry
from stellwerk.audit.trail import record
from stellwerk.audit.verification import Finding, Span, findings, present_head
from stellwerk.bootstrap import Platform
from stellwerk.vault import Vault

ANOTHER_KEY = "another-key-0123456789-0123456789-0123456789"


@pytest.fixture
def ten(platform: Platform) -> Platform:
    """Ten entries are on record."""
    add(platform, 10)
    return platform


def add(platform: Platform, number: int = 1) -> None:
    for _ in range(number):
        with platform.runtime.sessions.begin() as session:
            record(session, action=Action.QUEUE_PAUSED, actor=Party.SYSTEM, target="queue:short")


def tamper(platform: Platform, *statements: str, **values: str) -> None:
    with platform.engine.begin() as connection:
        connection.execute(text("ALTER TABLE audit_entries DISABLE TRIGGER ALL"))
        for statement in statements:
            connection.execute(text(statement), values)
        connection.execute(text("ALTER TABLE audit_entries ENABLE TRIGGER ALL"))


def found(platform: Platform, span: Span | None = None) -> list[Finding]:
    with platform.runtime.sessions() as session:
        return list(findings(session, platform.runtime.vault, span or Span()))


def numbers(platform: Platform, span: Span | None = None) -> list[int]:
    return [one.sequence for one in found(platform, span)]


def test_an_untouched_record_is_whole(ten: Platform) -> None:
    assert found(ten) == []
    assert found(ten, Span(first=4, last=8)) == []
    assert found(ten, Span(first=10, last=20)) == []


def test_a_record_of_nothing_is_whole(platform: Platform) -> None:
    assert found(platform) == []


COLUMNS = {
    "at": "at + interval '1 second'",
    "action": "'queue.resumed'",
    "actor_kind": "'nobody'",
    "actor": "gen_random_uuid()",
    "subject": "gen_random_uuid()",
    "target": "'queue:long'",
    "origin_key": "gen_random_uuid()",
    "origin": "'x'",
    "details_key": "gen_random_uuid()",
    "details": "'x'",
    "previous_hash": "repeat('1', 64)",
    "hash": "repeat('1', 64)",
}


@pytest.mark.parametrize(("column", "value"), COLUMNS.items())
def test_a_changed_column_is_found_in_its_row(ten: Platform, column: str, value: str) -> None:
    tamper(ten, f"UPDATE audit_entries SET {column} = {value} WHERE sequence = 5")  # noqa: S608  from above
    assert numbers(ten)[0] == 5


def test_every_column_is_covered() -> None:
    assert set(COLUMNS) | {"sequence"} == set(AuditEntry.__table__.columns.keys())
    assert set(chain.COVERED) | {"hash"} == set(AuditEntry.__table__.columns.keys())


def test_a_changed_row_with_a_hash_to_match_is_found_by_the_next(ten: Platform) -> None:
    with ten.runtime.sessions() as session:
        row = session.get_one(AuditEntry, 5)
        values = {name: getattr(row, name) for name in chain.COVERED} | {"target": "queue:long"}
    tamper(
        ten,
        "UPDATE audit_entries SET target = 'queue:long', hash = :forged WHERE sequence = 5",
        forged=chain.hash_of(values),
    )
    assert numbers(ten) == [6]


def test_a_removed_row_is_found(ten: Platform) -> None:
    tamper(ten, "DELETE FROM audit_entries WHERE sequence IN (4, 5)")
    assert found(ten) == [Finding(4, "and those up to 5 are missing")]
    assert numbers(ten, Span(first=5)) == [4, 5]


def test_the_first_row_cannot_be_removed_either(ten: Platform) -> None:
    tamper(ten, "DELETE FROM audit_entries WHERE sequence = 1")
    assert found(ten) == [Finding(1, "is missing")]


def test_swapped_rows_are_found(ten: Platform) -> None:
    tamper(
        ten,
        "UPDATE audit_entries SET sequence = 0 WHERE sequence = 3",
        "UPDATE audit_entries SET sequence = 3 WHERE sequence = 7",
        "UPDATE audit_entries SET sequence = 7 WHERE sequence = 0",
    )
    assert {3, 7} <= set(numbers(ten))


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM audit_entries WHERE sequence > 7", "DELETE FROM audit_entries"],
)
def test_a_tail_that_was_cut_off_is_found(ten: Platform, statement: str) -> None:
    tamper(ten, statement)
    (finding,) = found(ten)
    assert finding.problem.endswith("missing from the end")


def test_a_truncated_table_is_found(ten: Platform) -> None:
    tamper(ten, "TRUNCATE audit_entries")
    assert found(ten) == [Finding(1, "and those up to 10 are missing from the end")]


def test_a_head_that_is_moved_to_match_is_found_since_it_is_signed(ten: Platform) -> None:
    tamper(
        ten,
        "DELETE FROM audit_entries WHERE sequence > 7",
        "UPDATE audit_head SET sequence = 7, hash = "
        "(SELECT hash FROM audit_entries WHERE sequence = 7)",
    )
    assert numbers(ten) == [0]


def test_signing_a_moved_head_again_does_not_hide_that_it_was_moved(ten: Platform) -> None:
    tamper(
        ten,
        "DELETE FROM audit_entries WHERE sequence > 7",
        "UPDATE audit_head SET sequence = 7, hash = "
        "(SELECT hash FROM audit_entries WHERE sequence = 7)",
    )
    add(ten)
    (finding,) = found(ten)
    assert finding == Finding(8, "says that the head had been moved by somebody else")


def test_a_row_that_somebody_else_added_is_found(ten: Platform) -> None:
    with ten.runtime.sessions() as session:
        row = session.get_one(AuditEntry, 10)
        values = {name: getattr(row, name) for name in chain.COVERED}
        values |= {"sequence": 11, "previous_hash": row.hash}
    with ten.runtime.sessions.begin() as session:
        session.add(AuditEntry(**values, hash=chain.hash_of(values)))
    assert numbers(ten) == [11]


def test_a_removed_head_is_found(ten: Platform) -> None:
    tamper(ten, "DELETE FROM audit_head")
    assert found(ten) == [Finding(0, "the head is missing")]


def test_an_old_head_that_is_put_back_is_found_by_one_that_was_noted(ten: Platform) -> None:
    with ten.runtime.sessions() as session:
        old = present_head(session)
    add(ten, 2)
    with ten.runtime.sessions() as session:
        noted = present_head(session)
    assert old
    assert noted
    tamper(
        ten,
        "DELETE FROM audit_entries WHERE sequence > 10",
        "UPDATE audit_head SET sequence = 10, hash = :hash, mark = :mark",
        hash=old.hash,
        mark=old.mark,
    )
    assert found(ten) == []
    span = Span(noted=(noted.sequence, noted.hash))
    assert found(ten, span) == [Finding(12, "was noted, and is missing")]
    add(ten, 2)
    assert found(ten, span) == [Finding(12, "is not the one that was noted")]


def test_the_head_is_signed_again_when_the_key_changes(ten: Platform) -> None:
    old = ten.settings.encryption_keys()
    both, new = Vault([ANOTHER_KEY, *old]), Vault([ANOTHER_KEY])
    with ten.runtime.sessions.begin() as session:
        assert chain.sign(session, both)
    with ten.runtime.sessions() as session:
        head = present_head(session)
    assert head
    assert head.is_signed(new)
    with ten.runtime.sessions.begin() as session:
        assert not chain.sign(session, both)


def test_a_long_record_is_read_in_pieces(platform: Platform) -> None:
    with platform.runtime.sessions.begin() as session:
        for number in range(2500):
            record(session, action=Action.JOB_READ, actor=Party.SYSTEM, target=f"job:{number}")
    assert found(platform) == []
    tamper(platform, "UPDATE audit_entries SET target = 'x' WHERE sequence = 2400")
    assert numbers(platform) == [2400]
