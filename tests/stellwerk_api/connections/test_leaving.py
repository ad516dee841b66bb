"""Whoever leaves takes along what other services granted us: it is revoked there."""

from uuid import UUID

from sqlalchemy import select, update

from api import PASSWORD, ApiUser
from attempts import attempt
from connecting import connected, knowing
from leaving import erased
from nextcloud import TOKEN, Nextcloud
from stellwerk.bootstrap import Platform
from stellwerk.connections.model import OauthConnection, OauthRevocation
from stellwerk.jobs.model import Job
from stellwerk_workers.reports import Came


def test_an_erasure_revokes_the_grant_of_a_connection(
    here: Platform, cloud: Nextcloud, ann: ApiUser
) -> None:
    connected(ann, cloud)

    done = erased(here, ann)

    assert cloud.tokens == []
    receipt = done.receipt or {}
    assert receipt["erased"]["connections"]["connections"] == 1
    assert receipt["erased"]["connections"]["grants_revoked"] == 1


def test_a_grant_whose_access_token_has_ended_is_revoked_as_well(
    here: Platform, cloud: Nextcloud, ann: ApiUser
) -> None:
    connected(ann, cloud)
    cloud.tokens[0].access_token = "which ended an hour ago"  # noqa: S105  nobody's

    erased(here, ann)

    assert cloud.tokens == []
    assert cloud.calls[f"POST {TOKEN}"] == 2  # the code, and a fresh token to end it with


def test_what_was_disconnected_just_before_is_revoked_too(
    here: Platform, cloud: Nextcloud, ann: ApiUser
) -> None:
    connected(ann, cloud)
    assert ann.send("DELETE", "/connections/nextcloud").status_code == 204
    assert len(cloud.tokens) == 1

    erased(here, ann)

    assert cloud.tokens == []


def test_a_connection_that_was_lost_has_nothing_to_revoke(
    here: Platform, cloud: Nextcloud, ann: ApiUser
) -> None:
    connected(ann, cloud)
    with here.runtime.sessions.begin() as session:
        session.execute(update(OauthConnection).values(sealed=None, status="needs_reconnect"))
    assert (erased(here, ann).receipt or {})["erased"]["connections"]["grants_revoked"] == 0


def test_an_erasure_goes_on_once_a_provider_that_is_away_was_given_up(
    here: Platform, cloud: Nextcloud, ann: ApiUser
) -> None:
    connected(ann, cloud)
    cut_off = knowing(here, nextcloud_url="http://localhost:1")
    made = ann.post("/privacy/delete", {"password": PASSWORD}).get_json()
    job_id = job_of(here, "privacy.erase")
    assert attempt(cut_off.runtime, job_id) is Came.AGAIN
    told = job_of(here, "connections.revoke")
    while attempt(cut_off.runtime, told) is Came.AGAIN:
        assert kept(here) == 1

    done = erased(here, ann, made["id"])

    assert len(cloud.tokens) == 1
    assert kept(here) == 0
    assert (done.receipt or {})["erased"]["connections"]["grants_revoked"] == 0


def job_of(here: Platform, operation: str) -> UUID:
    with here.runtime.sessions() as session:
        return session.scalars(select(Job.id).where(Job.operation == operation)).one()


def kept(here: Platform) -> int:
    with here.runtime.sessions() as session:
        return len(session.scalars(select(OauthRevocation)).all())
