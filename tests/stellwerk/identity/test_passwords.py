from concurrent.futures import ThreadPoolExecutor

from stellwerk.identity import passwords


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
    made = passwords.hashed("correct horse")
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda _: passwords.is_right("correct horse", made), range(16)))
