"""People who leave: their erasure, carried out by a worker in the test's own process."""

from uuid import UUID

from sqlalchemy import select

from api import PASSWORD, ApiUser
from attempts import attempt
from stellwerk.bootstrap import Platform
from stellwerk.jobs.model import Job
from stellwerk.privacy.model import PrivacyRequest

PARTS = ("privacy.erase", "connections.revoke")


def erased(platform: Platform, user: ApiUser, request_id: str = "") -> PrivacyRequest:
    """The request, once it was carried out; a new one unless it was made before."""
    if not request_id:
        answer = user.post("/privacy/delete", {"password": PASSWORD})
        assert answer.status_code == 202, answer.text
        request_id = answer.get_json()["id"]
    while not (request := _request(platform, request_id)).finished_at:
        due = _due(platform)
        assert due, "nothing goes on"
        for job_id in due:
            attempt(platform.runtime, job_id)
    assert request.status == "completed", request.status
    return request


def _request(platform: Platform, request_id: str) -> PrivacyRequest:
    with platform.runtime.sessions() as session:
        return session.get_one(PrivacyRequest, UUID(request_id))


def _due(platform: Platform) -> list[UUID]:
    query = select(Job.id).where(Job.operation.in_(PARTS), Job.status == "queued")
    with platform.runtime.sessions() as session:
        return list(session.scalars(query.order_by(Job.id)))
