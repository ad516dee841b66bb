"""A new key takes over everything that is sealed while the system runs."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Column, Engine, Integer, LargeBinary, MetaData, String, Table, insert, select

from dump import dumped
from hooks import hook
from stellwerk.audit.actions import Action, Party
from stellwerk.audit.trail import record
from stellwerk.audit.verification import Span, findings
from stellwerk.bootstrap import Platform, metadata, sealed, under_other_keys
from stellwerk.db.encrypted import Encrypted
from stellwerk.db.engine import build_engine, build_sessions
from stellwerk.db.holdings import EncryptedText, counted, total
from stellwerk.db.rotation import Rotation
from stellwerk.errors import ConfigurationError, Conflict
from stellwerk.jobs import control, queries
from stellwerk.jobs.context import JobContext
from stellwerk.settings import Settings
from stellwerk.vault import Vault
from stellwerk.webhooks import keyring
from stellwerk.webhooks.keyring import Ring
from trial import Trial, trial

NEW = "another-key-0123456789-0123456789-0123456789"
NUMBER = "+493012345567"


def keyed(run: Trial, vault: Vault) -> Trial:
    """The same with other keys, as after a restart."""
    run.runtime = replace(run.runtime, vault=vault)
    run.runner = replace(run.runner, runtime=run.runtime)
    return run


def rotation(platform: Platform, vault: Vault, **fields: Any) -> Rotation:
    values = {"batch": 3, "pause_s": 0.0, **fields}
    return Rotation(platform.engine, platform.runtime.sessions, vault, sealed(), **values)


def whispering(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
    ctx.log("said", value=payload["value"])
    ctx.step("look", lambda: {"found": payload["value"]})
    return {"heard": ctx.wait_for("answer")["said"], "found": ctx.recorded("look").output}  # type: ignore[union-attr]  # it is there


def advanced(run: Trial, count: int) -> list[Any]:
    """Jobs of which each waits with a signal under way."""
    made = [run.submit(value=f"value {number}") for number in range(count)]
    for job_id in made:
        run.attempt(job_id)
        control.signal(run.runtime, job_id, "answer", data={"said": str(job_id)})
    return made


def test_nothing_is_left_under_the_old_key_and_everything_works_without_it(
    platform: Platform,
) -> None:
    old, both = platform.runtime.vault, Vault([NEW, *platform.settings.encryption_keys()])
    made = hook(platform, "https://a.example")
    with platform.runtime.sessions.begin() as session:
        record(session, action=Action.QUEUE_PAUSED, actor=Party.SYSTEM, target="queue:short")
    with trial(platform, whispering, is_sensitive=True) as run:
        ended, waiting = advanced(run, 4), advanced(run, 4)
        for job_id in ended:
            run.attempt(job_id)
        assert f"{old.present_key}:".encode() in dumped(platform)

        list(rotation(platform, both).run())

        assert f"{old.present_key}:".encode() not in dumped(platform)
        with platform.runtime.sessions() as session:
            assert set(total(counted(session, both, sealed()))) == {both.present_key}
        keyed(run, Vault([NEW]))
        for job_id in waiting:
            run.attempt(job_id)
        for job_id in ended + waiting:
            with run.runtime.sessions() as session:
                whole = queries.unsealed(session, run.runtime.registry, Vault([NEW]), job_id)
            assert whole["result"]["heard"] == str(job_id)
    with platform.runtime.sessions() as session:
        assert list(findings(session, Vault([NEW]), Span())) == []
        ring = Ring(made.owner_id, made.endpoint_id)
        assert keyring.valid(session, Vault([NEW]), ring) == [made.secret]


def test_no_read_fails_and_no_row_is_missed_while_jobs_run(platform: Platform) -> None:
    old, both = platform.runtime.vault, Vault([NEW, *platform.settings.encryption_keys()])
    is_over, failures = threading.Event(), list[str]()
    with trial(platform, whispering, is_sensitive=True) as run:
        waiting = advanced(run, 30)
        keyed(run, both)

        def work() -> None:
            for job_id in waiting:
                report = run.attempt(job_id)
                if report.came != "completed":
                    failures.append(report.reason)
            is_over.set()

        worker = threading.Thread(target=work)
        worker.start()
        while not is_over.is_set():
            list(rotation(platform, both).run())
        worker.join()
        list(rotation(platform, both).run())
    assert failures == []
    assert f"{old.present_key}:".encode() not in dumped(platform)


def test_a_run_that_was_ended_goes_on_where_something_is_left(platform: Platform) -> None:
    both = Vault([NEW, *platform.settings.encryption_keys()])
    with trial(platform, whispering, is_sensitive=True) as run:
        advanced(run, 10)
        run_once = rotation(platform, both).run()
        first = next(one for one in run_once if one.name == "jobs.payload")
        run_once.close()  # type: ignore[attr-defined]  # a generator
        assert (first.moved, first.is_done) == (3, False)
        again = {one.name: one.moved for one in rotation(platform, both).run()}
    assert again["jobs.payload"] == 7


def test_two_runs_at_once_are_one_too_many(platform: Platform) -> None:
    both = Vault([NEW, *platform.settings.encryption_keys()])
    with trial(platform, whispering, is_sensitive=True) as run:
        advanced(run, 4)
        one = rotation(platform, both).run()
        next(one)
        with pytest.raises(Conflict, match="under way"):
            list(rotation(platform, both).run())
        one.close()  # type: ignore[attr-defined]  # a generator
        list(rotation(platform, both).run())


def test_a_missing_key_is_named_and_nothing_is_lost(platform: Platform) -> None:
    with trial(platform, whispering, is_sensitive=True) as run:
        job_id = run.submit(value="kept")
        with pytest.raises(ConfigurationError, match="lacks"):
            list(rotation(platform, Vault([NEW])).run())
        assert run.row(job_id).payload["$sealed"].startswith(platform.runtime.vault.present_key)


ENCRYPTED = Table(
    "encrypted_of_tests",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("number", Encrypted),
    Column("number_hash", String(64)),
)


@pytest.fixture
def both(settings: Settings) -> Iterator[tuple[Vault, Engine]]:
    """Keys, old and new, and an engine with them and a table with encrypted rows."""
    old, vault = Vault(settings.encryption_keys()), Vault([NEW, *settings.encryption_keys()])
    before = build_engine(settings.database(), pool_size=1, role="test-old", vault=old)
    ENCRYPTED.metadata.create_all(before)
    with before.begin() as connection:
        row = {"number": NUMBER, "number_hash": old.lookups(NUMBER)[0]}
        connection.execute(insert(ENCRYPTED), [row] * 10)
    before.dispose()
    engine = build_engine(settings.database(), pool_size=2, role="test-new", vault=vault)
    yield vault, engine
    ENCRYPTED.metadata.drop_all(engine)
    engine.dispose()


def test_encrypted_columns_move_with_their_hashes(
    both: tuple[Vault, Engine], settings: Settings
) -> None:
    vault, engine = both
    holding = EncryptedText(ENCRYPTED.name, "number", hash_column="number_hash")
    run = Rotation(engine, build_sessions(engine, vault), vault, (holding,), batch=3, pause_s=0.0)

    assert [one.moved for one in run.run()] == [3, 6, 9, 10, 10]

    alone = build_engine(settings.database(), pool_size=1, role="x", vault=Vault([NEW]))
    found = select(ENCRYPTED.c.number).where(
        ENCRYPTED.c.number_hash.in_(Vault([NEW]).lookups(NUMBER))
    )
    with alone.connect() as connection:
        assert connection.scalars(found).all() == [NUMBER] * 10
    alone.dispose()


def test_every_column_that_may_hold_sealed_bytes_is_a_holding() -> None:
    columns = {
        f"{table.name}.{column.name}"
        for table in metadata().tables.values()
        for column in table.columns
        if isinstance(column.type, LargeBinary | Encrypted)
    }
    assert columns - {holding.name for holding in sealed()} - set(under_other_keys()) == set()
