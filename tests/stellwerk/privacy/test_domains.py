"""Every table that refers to a user is covered, by an export and by an erasure."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Table, event
from sqlalchemy.orm import Session

from people import add_user
from stellwerk.bootstrap import Platform, metadata, privacy_domains
from stellwerk.privacy.domains import Domain

# Columns that name a user; a foreign key to `users` counts whatever it is called.
NAMES_A_USER = re.compile(r"(owner|user|sender|subject|subject_user|actor|actor_user)_id|\w+_by")
DOMAINS = {domain.name: domain for domain in privacy_domains()}


def refers_to_a_user(table: Table) -> bool:
    return table.name == "users" or any(
        NAMES_A_USER.fullmatch(column.name)
        or any(key.column.table.name == "users" for key in column.foreign_keys)
        for column in table.columns
    )


PERSONAL = sorted(name for name, table in metadata().tables.items() if refers_to_a_user(table))


@contextmanager
def statements(platform: Platform) -> Iterator[list[str]]:
    """What is sent to Postgres within the block."""
    sent: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        sent.append(statement)

    event.listen(platform.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(platform.engine, "before_cursor_execute", note)


def sent_by(platform: Platform, act: Callable[[Session, Domain, int], object]) -> str:
    user_id = add_user(platform)
    with statements(platform) as sent, platform.runtime.sessions.begin() as session:
        for domain in DOMAINS.values():
            act(session, domain, user_id)
    return "\n".join(sent)


def read_all(session: Session, domain: Domain, user_id: int) -> None:
    for rows in domain.export(session, user_id).values():
        list(rows)


@pytest.mark.parametrize("table", PERSONAL)
def test_an_export_reads_every_table_that_refers_to_a_user(platform: Platform, table: str) -> None:
    assert re.search(rf"FROM {table}\b", sent_by(platform, read_all))


@pytest.mark.parametrize("table", PERSONAL)
def test_an_erasure_empties_every_table_that_refers_to_a_user(
    platform: Platform, table: str
) -> None:
    sent = sent_by(platform, lambda session, domain, user_id: domain.erase(session, user_id))
    if table == "job_tombstones":  # they are the list of what is left to do outside of Postgres
        assert "INSERT INTO job_tombstones" in sent
    else:
        assert re.search(rf"(DELETE FROM|UPDATE) {table}\b", sent)


def test_the_tables_are_found() -> None:
    assert {"users", "jobs", "job_costs", "job_signals", "queue_states", "videos"} <= set(PERSONAL)


def test_domains_are_erased_before_those_they_refer_to_and_accounts_last() -> None:
    names = list(DOMAINS)
    assert names.index("studio") < names.index("jobs") < names.index("identity")
    assert names[-1] == "identity"


@pytest.mark.parametrize("domain", DOMAINS.values(), ids=list(DOMAINS))
def test_a_domain_ends_with_nothing_left(platform: Platform, domain: Domain) -> None:
    with platform.runtime.sessions.begin() as session:
        assert not any(domain.erase(session, 4711).values())
