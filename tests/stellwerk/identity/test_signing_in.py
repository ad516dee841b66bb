"""People sign in from several devices at the same moment."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from sqlalchemy import func, select

from stellwerk.bootstrap import Platform
from stellwerk.identity import passwords, signing_in
from stellwerk.identity.model import User, UserSession
from stellwerk.identity.permissions import Audience
from stellwerk.identity.service import create_admin
from stellwerk.identity.tokens import Tokens

EMAIL, DEVICES = "root@example.com", 12
SECRET = "correct horse battery staple"  # noqa: S105  of a throw-away user


def test_simultaneous_sign_ins_of_one_account_all_succeed(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Twelve hashes, two at a time: on a busy machine that may take longer than people wait.
    monkeypatch.setattr(passwords, "turn", partial(passwords.turn, patience_s=60))
    create_admin(platform.runtime.sessions, EMAIL, SECRET)
    tokens = Tokens(platform.settings.signing_key())

    def sign_in(_: int) -> str:
        given = signing_in.login(
            platform.runtime, tokens, email=EMAIL, password=SECRET, audience=Audience.API
        )
        return given.access_token

    with ThreadPoolExecutor(DEVICES) as devices:
        given = list(devices.map(sign_in, range(DEVICES)))

    with platform.runtime.sessions() as session:
        sessions = session.scalar(select(func.count()).select_from(UserSession))
        signed_in_at = session.scalar(select(User.last_signed_in_at))
    assert len(set(given)) == sessions == DEVICES
    assert signed_in_at is not None
