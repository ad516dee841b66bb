import time
from contextlib import suppress
from datetime import timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest

from embedded import wait_until
from stellwerk.clock import utc_now
from stellwerk.errors import ConfigurationError, ErrorCode, NotAuthenticated
from stellwerk.identity.random_keys import key_hash, new_key
from stellwerk.identity.tokens import (
    AUDIENCE,
    ISSUER,
    SOUGHT_EVERY_S,
    TELEPHONY_AUDIENCE,
    SigningKey,
    Tokens,
)

KEY = "only-for-tests-0123456789-0123456789-0123456789-0123456789-0123456789"
SESSION = UUID("01890000-0000-7000-8000-000000000000")


def in_an_hour() -> Any:
    return utc_now() + timedelta(hours=1)


def forged(*, key: str = KEY, algorithm: str = "HS256", headers: Any = None, **claims: Any) -> str:
    """A token like ours with something changed; a claim of None is left out."""
    real = Tokens(KEY).sign(7, SESSION, in_an_hour())
    whole = {**jwt.decode(real, options={"verify_signature": False}), **claims}
    given = {**jwt.get_unverified_header(real), **(headers or {})}
    del given["alg"]
    kept = {name: value for name, value in whole.items() if value is not None}
    return jwt.encode(kept, key, algorithm=algorithm, headers=given)


def test_a_signed_token_says_who_and_which_session() -> None:
    claims = Tokens(KEY).verify(Tokens(KEY).sign(7, SESSION, in_an_hour()))
    assert (claims.user_id, claims.session_id) == (7, SESSION)


def test_the_helper_forges_a_token_that_would_pass() -> None:
    assert Tokens(KEY).verify(forged()).user_id == 7


@pytest.mark.parametrize(
    "changed",
    [
        {"key": KEY + "x"},
        {"algorithm": "HS512"},
        {"algorithm": "none", "key": ""},
        {"headers": {"typ": "JWT"}},
        {"headers": {"kid": "another"}},
        {"iss": "another"},
        {"aud": "another"},
        {"aud": [AUDIENCE + "x"]},
        {"aud": [AUDIENCE]},
        {"aud": [AUDIENCE, "another"]},
        {"aud": [TELEPHONY_AUDIENCE, AUDIENCE]},
        {"aud": TELEPHONY_AUDIENCE},
        {"sub": None},
        {"sub": "seven"},
        {"sid": None},
        {"sid": "none"},
        {"exp": None},
        {"jti": None},
        {"iat": None},
    ],
)
def test_anything_changed_is_refused(changed: dict[str, Any]) -> None:
    assert ISSUER == "stellwerk"
    with pytest.raises(NotAuthenticated):
        Tokens(KEY).verify(forged(**changed))


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "ä", "." * 5000])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(NotAuthenticated):
        Tokens(KEY).verify(token)


def test_an_expired_token_says_so() -> None:
    token = Tokens(KEY).sign(7, SESSION, utc_now() - timedelta(seconds=1))
    with pytest.raises(NotAuthenticated) as refused:
        Tokens(KEY).verify(token)
    assert refused.value.code is ErrorCode.TOKEN_EXPIRED


def test_a_short_signing_key_stops_the_start() -> None:
    with pytest.raises(ConfigurationError, match="JWT_SECRET_KEY") as refused:
        Tokens("too short")
    assert refused.value.code is ErrorCode.CONFIGURATION


def test_keys_are_random_and_hashed() -> None:
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(key.startswith("swk_") and len(key) == 44 for key in keys)
    assert len({key_hash(key) for key in keys} | {str(uuid4())}) == 101


def test_made_up_keys_are_sought_once_in_a_while_and_new_ones_found_all_the_same() -> None:
    ring, reads = [SigningKey(KEY)], []

    def read() -> list[SigningKey]:
        reads.append(time.monotonic())
        return list(ring)

    tokens = Tokens(KEY, read)
    for number in range(200):
        with pytest.raises(NotAuthenticated):
            tokens.verify(forged(headers={"kid": f"{number:08x}"}))
    apart = pairwise(reads)
    assert all(later - earlier > SOUGHT_EVERY_S / 2 for earlier, later in apart)

    ring.append(SigningKey(KEY[::-1]))
    new = Tokens(KEY[::-1]).sign(7, SESSION, in_an_hour())

    def is_found() -> bool:
        with suppress(NotAuthenticated):
            return tokens.verify(new).user_id == 7
        return False

    wait_until(is_found)
