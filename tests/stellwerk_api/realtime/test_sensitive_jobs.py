"""What a sensitive job came to is told by no event, from the first on, also to its owner."""

import json
from uuid import UUID

import pytest
from sqlalchemy import func, update

from full_stack import Client
from jobs_over_http import events, kinds
from sockets import is_event, talking
from stellwerk.bootstrap import Platform
from stellwerk.errors import ErrorCode
from stellwerk.jobs.model import Job
from stellwerk.jobs.sealing import HIDDEN, MASKED, seal, seal_error
from stellwerk.jobs.submission import Submission, submit

PLANTED = "planted-4711-secret"
MAIL = {"to": "ada@example.com", "template": "account_deleted", "variables": {}}


@pytest.fixture
def ended(client: Client, platform: Platform) -> str:
    """The id of a job of the client's that told its secret wherever a job can."""
    user_id = client.expect(200, "GET", "/auth/me")["id"]
    wanted = Submission("email.send", MAIL, owner_id=user_id)
    job_id, vault = submit(platform.runtime, wanted), platform.runtime.vault
    told = {"code": ErrorCode.PROVIDER_REJECTED.value, "message": PLANTED, "details": {}}
    values = {
        "status": "failed",
        "result": seal(vault, job_id, {"said": PLANTED}),
        "error": seal_error(vault, job_id, told),
        "version": Job.version + 1,
        "finished_at": func.now(),
    }
    with platform.runtime.sessions.begin() as session:
        session.execute(update(Job).where(Job.id == job_id).values(**values))
    platform.live.forget([job_id])
    return str(job_id)


def test_its_owner_sees_it_where_one_job_is_asked_for(client: Client, ended: str) -> None:
    job = client.job(ended)
    assert (job["result"], job["error"]["message"]) == ({"said": PLANTED}, PLANTED)
    assert client.expect(200, "GET", f"/jobs/{ended}?wait=1")["result"] == {"said": PLANTED}


def test_a_stream_masks_it_from_its_first_event_on(client: Client, ended: str) -> None:
    with events(client, ended) as (_, stream):
        found = list(stream)
    assert kinds(found) == ["snapshot", "end"]
    assert not [event for event in found if PLANTED in event.data]
    shown = json.loads(found[0].data)
    assert (shown["result"], shown["error"]["message"]) == (MASKED, HIDDEN)


@pytest.mark.parametrize("channel", ["job:{}", "jobs"])
def test_a_socket_masks_it_from_its_first_event_on(
    client: Client, ended: str, channel: str
) -> None:
    with talking(client) as talk:
        first = talk.subscribe(channel.format(UUID(ended)))
    assert is_event("snapshot")(first)
    assert ended in json.dumps(first)
    assert PLANTED not in json.dumps(first)
