"""What housekeeping does about connections."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from attempts import attempt
from connecting import callback, connect, knowing_nextcloud
from nextcloud import Nextcloud, running_nextcloud
from people import add_user
from stellwerk.bootstrap import Platform, sealed
from stellwerk.clock import new_id
from stellwerk.connections.model import OauthState
from stellwerk.connections.queries import Place
from stellwerk.connections.tokens import access_token
from stellwerk.db.rotation import Rotation
from stellwerk.errors import ConfigurationError
from stellwerk.jobs.submission import Submission, submit
from stellwerk.vault import Vault
from stellwerk_workers.reports import Came

NEW_KEY = "another-key-of-these-tests-0123456789-0123456789"


@pytest.fixture
def cloud(platform: Platform) -> Iterator[Nextcloud]:
    with running_nextcloud(callback(platform.settings, "nextcloud")) as cloud:
        yield cloud


def tokens_moved(platform: Platform, vault: Vault) -> int:
    rotation = Rotation(platform.engine, platform.runtime.sessions, vault, sealed(), pause_s=0.0)
    moved = {told.name: told.moved for told in rotation.run()}
    return sum(number for name, number in moved.items() if name.startswith("oauth_"))


def test_after_a_change_of_keys_every_token_is_sealed_by_the_new_one(
    platform: Platform, cloud: Nextcloud
) -> None:
    runtime = knowing_nextcloud(platform, cloud).runtime
    places = [Place(add_user(platform), "nextcloud") for _ in range(3)]
    for place in places:
        connect(runtime, cloud, place.user_id)
    old_keys = platform.settings.encryption_keys()
    both = replace(runtime, vault=Vault([NEW_KEY, *old_keys]))
    assert tokens_moved(platform, both.vault) == 3
    assert tokens_moved(platform, both.vault) == 0
    platform.live_client.redis.flushdb()
    new_alone = replace(runtime, vault=Vault([NEW_KEY]))
    assert all(cloud.knows(access_token(new_alone, place)) for place in places)
    platform.live_client.redis.flushdb()
    with pytest.raises(ConfigurationError):
        access_token(runtime, places[0])


def test_requests_that_nobody_answered_are_removed_after_a_day(platform: Platform) -> None:
    user_id = add_user(platform)
    for days in (0, 2):
        with platform.runtime.sessions.begin() as session:
            session.add(
                OauthState(
                    id=new_id(),
                    user_id=user_id,
                    provider="google",
                    state_hash=f"state {days}",
                    nonce_hash="nonce",
                    sealed=b"",
                    password_mark="",
                    expires_at=func.now() - timedelta(days=days),
                )
            )
    job_id = submit(platform.runtime, Submission("housekeeping.purge", {}, None))
    assert attempt(platform.runtime, job_id) is Came.COMPLETED
    with platform.runtime.sessions() as session:
        assert session.scalars(select(OauthState.state_hash)).all() == ["state 0"]
