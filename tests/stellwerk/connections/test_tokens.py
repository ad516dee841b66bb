"""Access tokens: one renewal for all who ask, and what becomes of a grant that is over."""

import mailbox
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from attempts import attempt
from connecting import callback, connect, knowing_nextcloud
from embedded import wait_until
from nextcloud import Nextcloud, running_nextcloud
from people import add_user
from stellwerk.bootstrap import Platform
from stellwerk.connections import flow, service
from stellwerk.connections.model import OauthConnection
from stellwerk.connections.queries import Place
from stellwerk.connections.tokens import TELL_LOST, access_token
from stellwerk.errors import Conflict, ErrorCode, GrantRevoked, ProviderUnavailable
from stellwerk.identity.model import User
from stellwerk.jobs.model import Job
from stellwerk.jobs.runtime import Runtime, unit
from stellwerk_workers.reports import Came

SOON = 60  # seconds: less than `oauth_renew_before_s`


@pytest.fixture
def cloud(platform: Platform) -> Iterator[Nextcloud]:
    with running_nextcloud(callback(platform.settings, "nextcloud")) as cloud:
        yield cloud


@pytest.fixture
def runtime(platform: Platform, cloud: Nextcloud, tmp_path: Path) -> Runtime:
    return knowing_nextcloud(platform, cloud, mail_dir=tmp_path / "mail").runtime


@pytest.fixture
def place(platform: Platform, runtime: Runtime, cloud: Nextcloud) -> Place:
    user_id = add_user(platform)
    connect(runtime, cloud, user_id)
    return Place(user_id, "nextcloud")


def row(runtime: Runtime) -> OauthConnection:
    with runtime.sessions() as session:
        return session.scalars(select(OauthConnection)).one()


def change(platform: Platform, **values: Any) -> None:
    """Change the row, and let no copy stand."""
    with platform.runtime.sessions.begin() as session:
        session.execute(update(OauthConnection).values(**values))
    platform.live_client.redis.flushdb()


def ends_in(platform: Platform, seconds: float) -> None:
    change(platform, expires_at=func.now() + timedelta(seconds=seconds))


def told(runtime: Runtime) -> list[Job]:
    with runtime.sessions() as session:
        return list(session.scalars(select(Job).where(Job.operation == TELL_LOST)))


def test_a_fresh_token_is_read_from_redis_the_second_time(
    platform: Platform, runtime: Runtime, cloud: Nextcloud, place: Place
) -> None:
    platform.live_client.redis.flushdb()
    token = access_token(runtime, place)
    assert cloud.knows(token)
    with platform.runtime.sessions.begin() as session:
        session.execute(update(OauthConnection).values(sealed=b"unreadable"))
    assert access_token(runtime, place) == token
    assert cloud.renewals() == 0
    redis = platform.live_client.redis
    held = [redis.get(key) for key in redis.scan_iter()]
    assert not any(token.encode() in value for value in held if value)


def test_redis_emptied_or_gone_loses_no_connection(
    platform: Platform, runtime: Runtime, cloud: Nextcloud, place: Place
) -> None:
    token = access_token(runtime, place)
    platform.live_client.redis.flushdb()
    assert access_token(runtime, place) == token
    gone = replace(runtime, copies=Gone())
    assert access_token(gone, place) == token
    assert cloud.renewals() == 0


class Gone:
    """A Redis that is away."""

    def read(self, kind: str, name: str) -> bytes | None:
        del kind, name
        return None

    def fill(self, kind: str, name: str, value: bytes, *, ttl_s: float) -> None:
        del kind, name, value, ttl_s

    put = fill

    def drop(self, kind: str, name: str) -> None:
        del kind, name


@pytest.mark.parametrize("left_s", [SOON, -1])
def test_twenty_who_ask_at_once_renew_once(
    platform: Platform, runtime: Runtime, cloud: Nextcloud, place: Place, left_s: float
) -> None:
    ends_in(platform, left_s)
    cloud.takes_s = 0.5
    with ThreadPoolExecutor(20) as threads:
        tokens = list(threads.map(lambda _: access_token(runtime, place), range(20)))
    assert cloud.renewals() == 1
    assert len(cloud.tokens) == 1
    (renewed,) = (token.access_token for token in cloud.tokens)
    assert renewed in tokens
    if left_s < 0:
        assert set(tokens) == {renewed}
    assert access_token(runtime, place) == renewed
    assert row(runtime).last_refreshed_at is not None


def test_a_rotated_refresh_token_is_the_one_that_renews_next(
    platform: Platform, runtime: Runtime, cloud: Nextcloud, place: Place
) -> None:
    def renews(number: int) -> bool:
        assert cloud.knows(access_token(runtime, place))
        return cloud.renewals() == number

    for number in (1, 2, 3):
        ends_in(platform, SOON)
        # Postgres may hold the lock of the last renewal for a moment after its connection ended.
        wait_until(partial(renews, number))
    assert cloud.renewals() == 3


def test_a_provider_that_fails_costs_nothing_while_the_old_token_is_good(
    platform: Platform, runtime: Runtime, cloud: Nextcloud, place: Place
) -> None:
    ends_in(platform, SOON)
    cloud.fails_with = 503
    assert cloud.knows(access_token(runtime, place))
    assert cloud.knows(access_token(runtime, place))
    assert cloud.renewals() == 1  # and is left alone for a moment
    ends_in(platform, -1)
    with pytest.raises(ProviderUnavailable):
        access_token(runtime, place)
    assert row(runtime).status == "active"
    assert told(runtime) == []
    cloud.fails_with = None
    assert cloud.knows(access_token(runtime, place))


def test_a_withdrawn_grant_needs_a_new_connection_and_its_user_is_told_once(
    platform: Platform, runtime: Runtime, cloud: Nextcloud, place: Place
) -> None:
    ends_in(platform, SOON)
    cloud.withdraw()
    for _ in range(2):
        with pytest.raises(GrantRevoked) as caught:
            access_token(runtime, place)
        assert caught.value.code is ErrorCode.GRANT_REVOKED
    assert cloud.renewals() == 1
    assert (row(runtime).status, row(runtime).sealed) == ("needs_reconnect", None)
    (job,) = told(runtime)
    assert job.owner_id == place.user_id
    assert attempt(runtime, job.id) is Came.COMPLETED
    (job,) = told(runtime)
    said = {"provider": "nextcloud", "channel_id": None, "reason": "withdrawn", "mailed": False}
    assert job.result == said


def test_a_verified_address_gets_a_mail_with_a_link_that_connects_again(
    platform: Platform, runtime: Runtime, cloud: Nextcloud, place: Place, tmp_path: Path
) -> None:
    with runtime.sessions.begin() as session:
        session.execute(update(User).values(email_verified_at=func.now()))
    ends_in(platform, -1)
    cloud.withdraw()
    with pytest.raises(GrantRevoked):
        access_token(runtime, place)
    (job,) = told(runtime)
    attempt(runtime, job.id)
    with runtime.sessions() as session:
        mail = session.scalars(select(Job).where(Job.operation == "email.send")).one()
    assert attempt(runtime, mail.id) is Came.COMPLETED
    (written,) = mailbox.Maildir(tmp_path / "mail")
    body = written.get_payload(0).get_payload(decode=True).decode()  # type: ignore[union-attr]  # multipart
    link = next(word for word in body.split() if "/auth/nextcloud?ticket=" in word)
    begun = flow.begin_elsewhere(runtime, "nextcloud", link.partition("ticket=")[2])
    assert begun.authorization_url.startswith(cloud.url)


def test_connecting_again_makes_it_work_again(
    platform: Platform, runtime: Runtime, cloud: Nextcloud, place: Place
) -> None:
    ends_in(platform, -1)
    cloud.withdraw()
    with pytest.raises(GrantRevoked):
        access_token(runtime, place)
    connect(runtime, cloud, place.user_id)
    assert cloud.knows(access_token(runtime, place))
    (job,) = told(runtime)
    attempt(runtime, job.id)
    (job,) = told(runtime)
    said = {"provider": None, "channel_id": None, "reason": None, "mailed": False}
    assert job.result == said


def test_a_renewal_that_was_cut_short_is_told_as_the_reason(
    platform: Platform, runtime: Runtime, cloud: Nextcloud, place: Place
) -> None:
    refresh = cloud.tokens[0].refresh_token
    runtime.providers.oauth["nextcloud"].renew(refresh)  # by a process that died then
    ends_in(platform, SOON)
    change(platform, renewal_began_at=func.now())
    with pytest.raises(GrantRevoked):
        access_token(runtime, place)
    (job,) = told(runtime)
    attempt(runtime, job.id)
    (job,) = told(runtime)
    assert job.result is not None
    assert job.result["reason"] == "renewal_cut_short"


def test_what_is_not_connected_is_told_as_such(runtime: Runtime, platform: Platform) -> None:
    with pytest.raises(Conflict) as caught:
        access_token(runtime, Place(add_user(platform), "nextcloud"))
    assert caught.value.code is ErrorCode.NOT_CONNECTED


def test_a_connection_that_is_forgotten_while_it_is_renewed_stays_forgotten(
    platform: Platform, runtime: Runtime, cloud: Nextcloud, place: Place
) -> None:
    ends_in(platform, SOON)
    cloud.takes_s = 0.5
    with ThreadPoolExecutor(1) as threads:
        renewing = threads.submit(access_token, runtime, place)
        wait_until(cloud.renewals)
        with unit(runtime) as work:
            service.forget(runtime, work, place)
        renewing.result()
    assert cloud.tokens == []  # the new ones were given back
    with pytest.raises(Conflict):
        access_token(runtime, place)


def test_an_old_copy_is_not_put_back_after_a_change(
    platform: Platform, runtime: Runtime, cloud: Nextcloud, place: Place
) -> None:
    copies = runtime.copies
    copies.drop(service.COPIES, place.name)
    copies.fill(service.COPIES, place.name, b"read before", ttl_s=60)
    assert copies.read(service.COPIES, place.name) is None
    copies.put(service.COPIES, place.name, runtime.vault.seal("new"), ttl_s=60)
    assert access_token(runtime, place) == "new"
    assert cloud.renewals() == 0
    del platform
