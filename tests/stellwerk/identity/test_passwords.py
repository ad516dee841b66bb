"""Hashes of passwords, of which a process makes only a few at a time."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from threading import Barrier, Lock

import pytest

from stellwerk.errors import Unavailable
from stellwerk.identity import passwords
from stellwerk.identity.passwords import AT_ONCE


def test_a_hash_is_argon2id_at_the_recommended_cost() -> None:
    made = passwords.hashed("correct horse")
    assert made.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert made != passwords.hashed("correct horse")


def test_only_the_right_password_is_right() -> None:
    made = passwords.hashed("correct horse")
    assert passwords.is_right("correct horse", made)
    assert not passwords.is_right("correct hors", made)
    assert not passwords.is_right("correct horse", None)
    assert not passwords.is_right("correct horse", "not a hash")


def test_many_at_once_take_turns() -> None:
    lock, together = Lock(), Barrier(AT_ONCE, timeout=60)
    inside, seen = 0, []

    def take_a_turn(_: int) -> None:
        nonlocal inside
        with passwords.turn(patience_s=60):
            with lock:
                inside += 1
                seen.append(inside)
            together.wait()  # as many as may be are inside now
            with lock:
                inside -= 1

    with ThreadPoolExecutor(4 * AT_ONCE) as pool:
        list(pool.map(take_a_turn, range(8 * AT_ONCE)))
    assert len(seen) == 8 * AT_ONCE
    assert max(seen) == AT_ONCE


def test_whoever_finds_no_turn_in_time_is_told_to_come_again() -> None:
    made = passwords.hashed("correct horse")
    with ThreadPoolExecutor(2) as pool, ExitStack() as all_turns:
        for _ in range(AT_ONCE):
            all_turns.enter_context(passwords.turn())
        for work in (
            pool.submit(passwords.is_right, "correct horse", made),
            pool.submit(passwords.hashed, "correct horse"),
        ):
            with pytest.raises(Unavailable) as refused:
                work.result()
            assert refused.value.retry_after_s == 2


def test_whoever_waits_gets_the_next_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    # Whoever gives them back may stand still for longer than people wait.
    monkeypatch.setattr(passwords, "turn", partial(passwords.turn, patience_s=60))
    made = passwords.hashed("correct horse")
    with ThreadPoolExecutor(1) as pool:
        with ExitStack() as all_turns:
            for _ in range(AT_ONCE):
                all_turns.enter_context(passwords.turn())
            waiting = pool.submit(passwords.is_right, "correct horse", made)
            assert not waiting.done()
        assert waiting.result()
