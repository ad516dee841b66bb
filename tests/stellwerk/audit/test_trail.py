"""Putting things on record: in their transaction, in one chain, under their subjects' keys."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import pairwise
from threading import Event

import pytest
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from people import add_user
from stellwerk.audit import privacy
from stellwerk.audit.actions import Action, Party
from stellwerk.audit.model import AuditEntry, AuditSubjectKey
from stellwerk.audit.origin import NOWHERE, Origin, comes_from
from stellwerk.audit.queries import EntryFilter, entries
from stellwerk.audit.sealing import forget_strangers, strangers
from stellwerk.audit.trail import record
from stellwerk.audit.verification import Span, findings
from stellwerk.bootstrap import Platform
from stellwerk.clock import utc_now
from stellwerk.identity.model import User

HOME = Origin(address="192.0.2.7", user_agent="curl/8", request_id="r-1", credential="key:k")


def paused(session: Session, target: str = "queue:short") -> None:
    record(session, action=Action.QUEUE_PAUSED, actor=Party.SYSTEM, target=target)


def targets(platform: Platform) -> list[str]:
    with platform.runtime.sessions() as session:
        return list(session.scalars(select(AuditEntry.target).order_by(AuditEntry.sequence)))


def is_whole(platform: Platform) -> bool:
    with platform.runtime.sessions() as session:
        return not list(findings(session, platform.runtime.vault, Span()))


def newest(platform: Platform) -> dict[str, object]:
    with platform.runtime.sessions() as session:
        return entries(session, platform.runtime.vault, EntryFilter())[0]


def test_what_is_rolled_back_is_not_on_record(platform: Platform) -> None:
    class Undone(Exception):
        pass

    def fail() -> None:
        with platform.runtime.sessions.begin() as session:
            paused(session)
            raise Undone

    with pytest.raises(Undone):
        fail()
    with platform.runtime.sessions() as session:
        paused(session)
        session.rollback()
        paused(session, "queue:long")
        session.commit()
    assert targets(platform) == ["queue:long"]
    assert is_whole(platform)


def test_what_a_savepoint_undoes_is_not_on_record(platform: Platform) -> None:
    with platform.runtime.sessions.begin() as session:
        paused(session, "queue:first")
        undone = session.begin_nested()
        paused(session, "queue:undone")
        with session.begin_nested():
            paused(session, "queue:within")
        undone.rollback()
        with session.begin_nested():
            paused(session, "queue:kept")
    assert targets(platform) == ["queue:first", "queue:kept"]


def test_numbers_have_no_gaps_and_hashes_follow_when_many_write_at_once(
    platform: Platform,
) -> None:
    users = [add_user(platform) for _ in range(4)]

    def write(number: int) -> None:
        with platform.runtime.sessions.begin() as session:
            one, other = users[number % 4], users[(number + 1) % 4]
            for actor, subject in ((one, other), (other, one)):
                record(
                    session,
                    action=Action.JOB_CANCELLED,
                    actor=actor,
                    subject_user_id=subject,
                    details={"number": number},
                )

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(60)))
    with platform.runtime.sessions() as session:
        rows = session.scalars(select(AuditEntry).order_by(AuditEntry.sequence)).all()
        keys = session.scalars(select(AuditSubjectKey.user_id)).all()
    assert [row.sequence for row in rows] == list(range(1, 121))
    assert all(after.previous_hash == before.hash for before, after in pairwise(rows))
    assert sorted(key for key in keys if key) == sorted(users)
    assert is_whole(platform)


def test_nobody_waits_for_a_transaction_that_takes_long(platform: Platform) -> None:
    may_go_on, has_begun = Event(), Event()

    def slowly() -> None:
        with platform.runtime.sessions.begin() as session:
            paused(session, "queue:slow")
            session.execute(text("SELECT 1"))
            has_begun.set()
            assert may_go_on.wait(20)

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(slowly)
        assert has_begun.wait(20)
        with platform.runtime.sessions.begin() as session:
            paused(session, "queue:quick")
        assert targets(platform) == ["queue:quick"]
        may_go_on.set()
        slow.result()
    assert targets(platform) == ["queue:quick", "queue:slow"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entries SET target = 'x'",
        "DELETE FROM audit_entries",
        "TRUNCATE audit_entries",
    ],
)
def test_the_table_only_grows(platform: Platform, statement: str) -> None:
    with platform.runtime.sessions.begin() as session:
        paused(session)
    with (
        pytest.raises(DBAPIError, match="append-only"),
        platform.runtime.sessions.begin() as session,
    ):
        session.execute(text(statement))


@pytest.fixture
def at_home() -> object:
    comes_from(HOME)
    yield
    comes_from(NOWHERE)


@pytest.mark.usefixtures("at_home")
def test_what_is_personal_is_ciphertext_and_readable_by_the_vault(platform: Platform) -> None:
    actor, subject = add_user(platform), add_user(platform)
    with platform.runtime.sessions.begin() as session:
        record(
            session,
            action=Action.ACCOUNT_CHANGED,
            actor=actor,
            subject_user_id=subject,
            details={"email": "ada@example.com"},
        )
    with platform.runtime.sessions() as session:
        (stored,) = session.execute(text("SELECT audit_entries::text FROM audit_entries")).one()
    assert b"192.0.2.7".hex() not in stored
    assert b"ada@".hex() not in stored
    shown = newest(platform)
    assert shown["origin"] == HOME.known()
    assert shown["details"] == {"email": "ada@example.com"}
    assert (shown["actor_user_id"], shown["subject_user_id"]) == (actor, subject)
    assert not shown["erased"]


@pytest.mark.usefixtures("at_home")
@pytest.mark.parametrize("erased", ["actor", "subject"])
def test_an_erased_person_cannot_be_told_from_the_record_and_the_chain_holds(
    platform: Platform, erased: str
) -> None:
    users = {"actor": add_user(platform), "subject": add_user(platform)}
    with platform.runtime.sessions.begin() as session:
        record(
            session,
            action=Action.ACCOUNT_CHANGED,
            actor=users["actor"],
            subject_user_id=users["subject"],
            details={"email": "ada@example.com"},
        )
    with platform.runtime.sessions.begin() as session:
        assert privacy.erase(session, users[erased]) == {"keys": 1, "entries": 1}
    shown = newest(platform)
    assert shown["erased"]
    assert shown[f"{erased}_user_id"] is None
    assert shown[erased]  # a pseudonym, the same as in every other entry of theirs
    assert shown["origin" if erased == "actor" else "details"] is None
    assert shown["details" if erased == "actor" else "origin"]
    assert is_whole(platform)


def test_deleting_an_account_destroys_its_key_too(platform: Platform) -> None:
    user_id = add_user(platform)
    with platform.runtime.sessions.begin() as session:
        record(session, action=Action.SESSION_STARTED, actor=user_id, subject_user_id=user_id)
    with platform.runtime.sessions.begin() as session:
        session.execute(delete(User).where(User.id == user_id))
        record(session, action=Action.ACCOUNT_ERASED, actor=Party.SYSTEM, subject_user_id=user_id)
    with platform.runtime.sessions() as session:
        assert session.scalars(select(AuditSubjectKey.user_id)).all() == []
    assert newest(platform)["subject"] is None
    assert is_whole(platform)


@pytest.mark.usefixtures("at_home")
def test_strangers_and_the_installation_have_keys_of_their_own(platform: Platform) -> None:
    admin = add_user(platform)
    told: dict[str, object] = {"why": "unknown"}
    with platform.runtime.sessions.begin() as session:
        record(session, action=Action.SESSION_REFUSED, actor=Party.NOBODY, details=told)
        record(session, action=Action.CONFIGURATION_CHANGED, actor=admin, details=told)
    with platform.runtime.sessions() as session:
        names = session.scalars(select(AuditSubjectKey.name)).all()
        shown = entries(session, platform.runtime.vault, EntryFilter())
    assert {str(name).split()[0] for name in names if name} == {"strangers", "installation"}
    assert [entry["details"] for entry in shown] == [told, told]
    assert [bool(entry["origin"]) for entry in shown] == [True, True]


def test_keys_of_strangers_are_destroyed_when_their_month_is_long_over(platform: Platform) -> None:
    with platform.runtime.sessions.begin() as session:
        told = {"email": "x@example.com"}
        record(session, action=Action.SESSION_REFUSED, actor=Party.NOBODY, details=told)
    with platform.runtime.sessions.begin() as session:
        assert forget_strangers(session, 0) == 0
        session.execute(
            update(AuditSubjectKey)
            .where(AuditSubjectKey.name.startswith("strangers"))
            .values(name=strangers(utc_now() - timedelta(days=100)))
        )
        assert forget_strangers(session, 200) == 0
        assert forget_strangers(session, 60) == 1
    shown = newest(platform)
    assert (shown["erased"], shown["details"]) == (True, None)
    assert is_whole(platform)


def test_a_person_gets_what_is_on_record_of_them(platform: Platform) -> None:
    user_id, other = add_user(platform), add_user(platform)
    with platform.runtime.sessions.begin() as session:
        for subject in (user_id, other):
            record(
                session,
                action=Action.API_KEY_CREATED,
                actor=subject,
                subject_user_id=subject,
                details={"name": f"of {subject}"},
            )
    with platform.runtime.sessions() as session:
        (mine,) = privacy.export(session, user_id)["entries"]
    assert mine["details"] == {"name": f"of {user_id}"}


FILTERS: list[tuple[Callable[[int, int], EntryFilter], list[str]]] = [
    (lambda _, __: EntryFilter(), ["queue:long", "queue:short", "session:1"]),
    (lambda _, __: EntryFilter(action="queue.paused"), ["queue:long", "queue:short"]),
    (lambda one, _: EntryFilter(actor=one), ["queue:short", "session:1"]),
    (lambda one, _: EntryFilter(subject=one), ["session:1"]),
    (lambda _, other: EntryFilter(subject=other), []),
    (lambda _, __: EntryFilter(before=3, limit=1), ["queue:short"]),
]


@pytest.mark.parametrize(("wanted", "found"), FILTERS)
def test_entries_are_found_by_action_actor_and_subject(
    platform: Platform, wanted: Callable[[int, int], EntryFilter], found: list[str]
) -> None:
    one, other = add_user(platform), add_user(platform)
    with platform.runtime.sessions.begin() as session:
        record(
            session,
            action=Action.SESSION_STARTED,
            actor=one,
            subject_user_id=one,
            target="session:1",
        )
        record(session, action=Action.QUEUE_PAUSED, actor=one, target="queue:short")
        record(session, action=Action.QUEUE_PAUSED, actor=other, target="queue:long")
    with platform.runtime.sessions() as session:
        shown = entries(session, platform.runtime.vault, wanted(one, other))
    assert [entry["target"] for entry in shown] == found
