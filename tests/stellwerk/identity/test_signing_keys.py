"""Signing keys change while tokens are in use."""

from datetime import timedelta
from functools import partial
from uuid import UUID

import jwt
import pytest
from sqlalchemy import text, update

from stellwerk.bootstrap import Platform
from stellwerk.clock import utc_now
from stellwerk.errors import NotAuthenticated
from stellwerk.identity import signing_keys
from stellwerk.identity.model import StoredSigningKey
from stellwerk.identity.tokens import Tokens

SESSION = UUID("01890000-0000-7000-8000-000000000000")


def a_process(platform: Platform) -> Tokens:
    ring = partial(signing_keys.ring, platform.runtime)
    return Tokens(platform.settings.signing_key(), ring)


def token_of(tokens: Tokens, hours: float = 1) -> str:
    return tokens.sign(7, SESSION, utc_now() + timedelta(hours=hours))


def rotate(platform: Platform) -> None:
    with platform.runtime.sessions.begin() as session:
        signing_keys.rotate(session, platform.settings, platform.runtime.vault)


def hours_pass(platform: Platform, hours: float) -> None:
    with platform.runtime.sessions.begin() as session:
        session.execute(
            update(StoredSigningKey).values(
                created_at=StoredSigningKey.created_at - timedelta(hours=hours)
            )
        )


def kid_of(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


def test_old_and_new_tokens_are_good_in_every_process(platform: Platform) -> None:
    first, second = a_process(platform), a_process(platform)
    old = token_of(first)
    assert second.verify(old).user_id == 7
    rotate(platform)
    first.refresh(older_than_s=0)
    new = token_of(first)
    assert kid_of(new) != kid_of(old)
    for process in (first, second, a_process(platform)):
        assert process.verify(new).user_id == 7
        assert process.verify(old).user_id == 7


def test_a_key_is_good_until_its_longest_tokens_have_ended(platform: Platform) -> None:
    browsers_h = platform.settings.browser_session_s() / 3600
    old = token_of(a_process(platform), browsers_h)
    rotate(platform)
    hours_pass(platform, browsers_h - 0.1)
    process = a_process(platform)
    process.refresh(older_than_s=0)
    assert process.verify(old).user_id == 7
    hours_pass(platform, 0.2)
    process.refresh(older_than_s=0)
    with pytest.raises(NotAuthenticated):
        process.verify(old)


def test_keys_whose_tokens_have_ended_are_forgotten(platform: Platform) -> None:
    for _ in range(4):
        rotate(platform)
        hours_pass(platform, 13)
    with platform.runtime.sessions() as session:
        stored = session.query(StoredSigningKey).count()
        kids = [
            key.kid
            for key in signing_keys.keys(session, platform.settings, platform.runtime.vault)
            if not key.is_over()
        ]
    assert stored == 2
    assert len(kids) == 1


def test_a_key_is_stored_sealed(platform: Platform) -> None:
    rotate(platform)
    key = a_process(platform)
    key.refresh(older_than_s=0)
    with platform.runtime.sessions() as session:
        rows = str(session.execute(text("SELECT sealed::text, kid FROM signing_keys")).all())
        (_, made) = signing_keys.keys(session, platform.settings, platform.runtime.vault)
    assert made.secret not in rows
    assert made.secret not in repr(made)
    assert made.kid in rows


def test_a_kid_that_nobody_made_is_refused(platform: Platform) -> None:
    stranger = Tokens("another-key-that-is-long-enough-0123456789-0123456789")
    with pytest.raises(NotAuthenticated):
        a_process(platform).verify(token_of(stranger))
