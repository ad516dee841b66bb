"""What is secret at an installation is nowhere written down as it is."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from dump import dumped, dumped_redis
from offered import entry, offer
from stellwerk.bootstrap import Platform
from stellwerk.clock import new_id
from stellwerk.errors import InvalidInput
from stellwerk.jobs.model import Job
from stellwerk.jobs.states import JobStatus
from stellwerk.jobs.submission import Submission, submit
from stellwerk.modules import claims
from stellwerk.modules.given_secrets import secrets_for
from stellwerk.modules.schemas import MOST_VARIABLES

SECRETS = {"TOKEN": "open sesame"}
PAYLOAD = {"module_name": "clock", "environment": {"COLOUR": "blue"}, "secrets": SECRETS}


def installing(platform: Platform, **changes: Any) -> UUID:
    offer(platform, "one", entry("clock"))
    wanted = Submission("modules.install", PAYLOAD | changes, owner_id=None, job_id=new_id())
    return submit(platform.runtime, wanted)


def held(platform: Platform, job_id: UUID) -> dict[str, str]:
    with platform.runtime.sessions() as session:
        return secrets_for(session, platform.runtime.vault, job_id)


def ended(platform: Platform, job_id: UUID, status: JobStatus) -> None:
    """Have modules hear of the end as if it were this one."""
    with platform.runtime.sessions() as session:
        job = session.get_one(Job, job_id)
        job.status = status.value
        with session.no_autoflush:
            claims.release(session, job, platform.runtime)
        session.expire(job)
        session.commit()


def test_the_secrets_of_an_installation_are_with_its_operation_alone(platform: Platform) -> None:
    job_id = installing(platform)
    assert held(platform, job_id) == SECRETS
    assert held(platform, uuid4()) == {}
    with platform.runtime.sessions() as session:
        payload = session.get_one(Job, job_id).payload
    assert (payload["environment"], payload["secrets"]) == ({"COLOUR": "blue"}, {})
    written_down = dumped(platform) + dumped_redis(platform)
    assert b"blue" in written_down
    for form in (b"sesame", b"sesame".hex().encode()):
        assert form not in written_down


def test_they_stay_for_another_try_and_go_once_the_module_has_them(platform: Platform) -> None:
    job_id = installing(platform)
    ended(platform, job_id, JobStatus.FAILED)
    assert held(platform, job_id) == SECRETS
    ended(platform, job_id, JobStatus.COMPLETED)
    assert held(platform, job_id) == {}


@pytest.mark.parametrize(
    "given",
    [
        {"environment": {"TOKEN": "x"}},
        {"environment": {f"A{number}": "" for number in range(MOST_VARIABLES)}},
        {"secrets": {"$sealed": "1a2b3c4d:somebody else's"}},
        {"secrets": {"PORT": "1"}},
    ],
)
def test_what_cannot_be_given_is_refused_without_saying_it(
    platform: Platform, given: dict[str, Any]
) -> None:
    with pytest.raises(InvalidInput) as told:
        installing(platform, **given)
    assert "sesame" not in str(told.value.errors)
