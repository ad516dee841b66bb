"""What calls hold of a person is shown to them, forgotten, and moved to another key."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text, update

from calling import NUMBER, asked, claim, dialled, event, stored, told
from dump import dumped
from people import add_user
from stellwerk.bootstrap import Platform
from stellwerk.calls import dialing, privacy
from stellwerk.calls.dialing import Taken
from stellwerk.calls.model import Call
from stellwerk.calls.sealed import SEALED
from stellwerk.db.engine import build_engine, build_sessions
from stellwerk.db.rotation import Rotation
from stellwerk.providers.calls.protocol import Dial, EventKind, Leg
from stellwerk.vault import Vault

NEW = "another-key-0123456789-0123456789-0123456789"
FIRST, SHOWN = "+4930123456789", "+493099999999"
E = EventKind


@pytest.fixture
def ada(platform: Platform) -> int:
    return add_user(platform, subscription_tier="enterprise")


def completed(platform: Platform, user_id: int, **fields: Any) -> Dial:
    """A call that has ended well."""
    dial = dialled(platform, user_id, **fields)
    dialing.taken(platform.runtime, [Taken(dial.call_id, dial.attempt, "the provider's name")])
    rings, answers = event(dial.call_id, E.RINGING), event(dial.call_id, E.ANSWERED, 3)
    told(platform, rings, answers, event(dial.call_id, E.HUNG_UP, 63, cause="NORMAL_CLEARING"))
    return dial


def exported(platform: Platform, user_id: int) -> dict[str, list[Any]]:
    with platform.runtime.sessions() as session:
        return {kind: list(rows) for kind, rows in privacy.export(session, user_id).items()}


def erase(platform: Platform, user_id: int) -> int:
    with platform.runtime.sessions.begin() as session:
        return privacy.erase(session, user_id)["calls"]


def statistics(platform: Platform) -> list[Any]:
    columns = (Call.state, Call.cause, Call.duration_s, Call.billable_s, Call.cost_eur, Call.region)
    with platform.runtime.sessions() as session:
        return [tuple(row) for row in session.execute(select(*columns).order_by(Call.id))]


def test_an_export_holds_own_calls_in_clear_and_nobody_elses(platform: Platform, ada: int) -> None:
    completed(platform, ada, caller_id=SHOWN)
    completed(platform, add_user(platform))
    found = exported(platform, ada)
    (call,) = found["calls"]
    assert (call["to_number"], call["caller_id"], call["state"]) == (NUMBER, SHOWN, "completed")
    assert "to_hash" not in call
    assert [one["kind"] for one in found["events"]] == ["ringing", "answered", "hung_up"]


def test_an_erased_call_stays_to_the_statistics_and_names_nobody(
    platform: Platform, ada: int
) -> None:
    dials = [completed(platform, ada, caller_id=SHOWN) for _ in range(2)]
    other = completed(platform, add_user(platform))
    before = statistics(platform)

    assert (erase(platform, ada), erase(platform, ada)) == (2, 0)

    assert statistics(platform) == before
    for dial in dials:
        call = stored(platform, dial.call_id)
        named = (call.to_number, call.to_hash, call.first_number, call.first_hash, call.caller_id)
        assert (*named, call.user_id, call.provider_ref) == (None,) * 7
    assert stored(platform, other.call_id).to_number == NUMBER
    assert exported(platform, ada) == {"calls": [], "events": []}
    with platform.runtime.sessions() as session:
        assert session.scalar(text("SELECT count(*) FROM call_events")) == 9


def test_what_waits_is_never_dialled_and_what_is_under_way_hangs_up_and_ends_well(
    platform: Platform, ada: int
) -> None:
    dial = dialled(platform, ada)
    dialing.taken(platform.runtime, [Taken(dial.call_id, dial.attempt, "its name")])
    told(platform, event(dial.call_id, E.RINGING), event(dial.call_id, E.ANSWERED, 3))
    waiting = asked(platform, ada)

    erase(platform, ada)

    assert claim(platform) == []
    assert stored(platform, waiting.id).state == "cancelled"
    (asked_for,) = dialing.to_hang_up(platform.runtime, "freeswitch")
    assert (asked_for.call_id, asked_for.ref) == (dial.call_id, "its name")
    told(platform, event(dial.call_id, E.HUNG_UP, 63, cause="NORMAL_CLEARING"))
    call = stored(platform, dial.call_id)
    assert (call.state, call.billable_s, call.to_number) == ("completed", 60, None)


def test_a_call_under_way_forgets_its_user_at_once_and_its_numbers_when_it_has_ended(
    platform: Platform, ada: int
) -> None:
    dial = dialled(platform, ada, caller_id=SHOWN, **{"from": FIRST})
    before = stored(platform, dial.call_id)

    erase(platform, ada)

    call = stored(platform, dial.call_id)
    assert (call.user_id, call.to_hash, call.first_hash) == (None, None, None)
    (under_way,) = dialing.under_way(platform.runtime, "freeswitch")
    assert under_way.dial == dial  # or another's call were taken for it
    told(platform, event(dial.call_id, E.HUNG_UP, 2, leg=Leg.FIRST, cause="NO_ANSWER"))
    call = stored(platform, dial.call_id)
    assert (call.state, before.has_first, call.has_first) == ("no_answer", True, True)
    assert (call.to_number, call.first_number, call.caller_id) == (None, None, None)


def test_the_name_of_an_erased_call_that_ended_uncertain_is_kept_for_a_day_to_hang_it_up(
    platform: Platform, ada: int
) -> None:
    dial = dialled(platform, ada)
    dialing.taken(platform.runtime, [Taken(dial.call_id, dial.attempt, "its name")])
    erase(platform, ada)
    dialing.uncertain(platform.runtime, "freeswitch", dial.call_id)
    call = stored(platform, dial.call_id)
    assert (call.to_number, call.provider_ref) == (None, "its name")
    then = update(Call).where(Call.id == dial.call_id)
    for age, kept in ((timedelta(hours=23), "its name"), (timedelta(hours=25), None)):
        with platform.runtime.sessions.begin() as session:
            session.execute(then.values(ended_at=func.now() - age))
            privacy.forget_old(session, platform.settings)
        assert stored(platform, dial.call_id).provider_ref == kept


def test_calls_of_long_ago_are_forgotten_and_younger_ones_are_not(
    platform: Platform, ada: int
) -> None:
    old, young = completed(platform, ada), completed(platform, ada)
    days = platform.settings.call_numbers_kept_days
    for dial, age in ((old, days + 1), (young, days - 1)):
        then = update(Call).where(Call.id == dial.call_id)
        with platform.runtime.sessions.begin() as session:
            session.execute(then.values(ended_at=func.now() - timedelta(days=age)))
    with platform.runtime.sessions.begin() as session:
        forgotten = [privacy.forget_old(session, platform.settings) for _ in range(2)]
    assert forgotten == [1, 0]
    assert (stored(platform, old.call_id).to_hash, stored(platform, old.call_id).user_id) == (
        None,
        None,
    )
    assert stored(platform, young.call_id).to_number == NUMBER


@contextmanager
def keyed(platform: Platform, *keys: str) -> Iterator[tuple[Vault, Any]]:
    """Another process's engine, with these keys."""
    vault = Vault(keys)
    url = platform.settings.database()
    engine = build_engine(url, pool_size=2, role="test-keys", vault=vault)
    try:
        yield vault, engine
    finally:
        engine.dispose()


def test_a_rotation_moves_numbers_and_their_hashes_while_calls_go_on(
    platform: Platform, ada: int
) -> None:
    old = platform.settings.encryption_keys()
    ended, under_way = completed(platform, ada, **{"from": FIRST}), dialled(platform, ada)
    with keyed(platform, NEW, *old) as (both, engine):
        sessions = build_sessions(engine, both)
        rotation = Rotation(engine, sessions, both, SEALED, batch=1, pause_s=0.0)
        for number, _ in enumerate(rotation.run()):
            if not number:  # whoever has the old key alone goes on recording
                told(platform, event(under_way.call_id, E.RINGING))
        with sessions() as session:
            query = select(Call).where(Call.to_hash.in_(both.lookups(NUMBER)))
            assert {call.id for call in session.scalars(query)} == {
                ended.call_id,
                under_way.call_id,
            }
    assert f"{platform.runtime.vault.present_key}:".encode() not in _calls_of(dumped(platform))
    with keyed(platform, NEW) as (new, engine), build_sessions(engine, new)() as session:
        call = session.get_one(Call, ended.call_id)
        assert (call.to_number, call.first_number) == (NUMBER, FIRST)
        assert (call.to_hash, call.first_hash) == (new.lookups(NUMBER)[0], new.lookups(FIRST)[0])
        assert session.get_one(Call, under_way.call_id).state == "ringing"


def _calls_of(dump: bytes) -> bytes:
    """The lines of the calls' table: bytea as COPY writes it, back as bytes."""
    lines = [line for line in dump.split(b"\n") if b"freeswitch" in line]
    fields = [field for line in lines for field in line.split(b"\t") if field.startswith(rb"\\x")]
    return b"\n".join(bytes.fromhex(field[3:].decode()) for field in fields)
