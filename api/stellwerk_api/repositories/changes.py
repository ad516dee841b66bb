"""Adding and removing repositories, in a caller's name."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from stellwerk.errors import ProviderError
from stellwerk.jobs.idempotency import Replayed, name_jobs, reserve
from stellwerk.jobs.runtime import Unit, unit
from stellwerk.jobs.submission import Submission, accept
from stellwerk.modules import indices, repositories
from stellwerk.modules.repositories import NewRepository
from stellwerk.providers.repositories.protocol import SourceKind
from stellwerk_api.accepted import require_submittable
from stellwerk_api.auth import caller
from stellwerk_api.context import platform
from stellwerk_api.idempotency import is_replayed, once, replay
from stellwerk_api.observation import request_id
from stellwerk_api.repository.reading import repository

SYNC = "modules.sync"


def added(body: Mapping[str, Any]) -> dict[str, Any]:
    """Add a repository and have it read: a folder at once, an address by a job."""
    require_submittable({SYNC: 1})
    wanted = NewRepository(**body)
    with unit(platform().runtime) as work:
        repository_id, job_id = _once(work, wanted)
    if wanted.kind is SourceKind.FILE and not is_replayed():
        with suppress(ProviderError):  # what is wrong with it stands in its row
            indices.sync(platform().runtime, repository_id)
    return repository(repository_id) | {"sync_job_id": job_id}


def _once(work: Unit, wanted: NewRepository) -> tuple[int, str | None]:
    """The repository and the job that reads it, if any: new, or of the request before."""
    try:
        reserve(work.session, once(), ())
    except Replayed as exc:
        jobs = map(str, replay(exc))
        return repositories.called(work.session, wanted.name), next(jobs, None)
    runtime, user_id = platform().runtime, caller().user_id
    repository_id = repositories.add(work.session, runtime, user_id, wanted)
    if wanted.kind is SourceKind.FILE:
        return repository_id, None
    payload = {"repository_id": repository_id}
    submission = Submission(SYNC, payload, user_id, request_id=request_id())
    job = accept(runtime, work, submission, payload)
    name_jobs(work.session, once(), [job.id])
    return repository_id, str(job.id)


def removed(repository_id: int) -> None:
    """Forget a repository; raises NotFound, Conflict."""
    repositories.remove(platform().runtime, caller().user_id, repository_id)
