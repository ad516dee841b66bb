"""Adding and removing repositories, in a caller's name."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from stellwerk.errors import ProviderError
from stellwerk.modules import indices, repositories
from stellwerk.modules.repositories import NewRepository
from stellwerk.providers.repositories.protocol import SourceKind
from stellwerk_api.accepted import submit_for_caller
from stellwerk_api.auth import caller
from stellwerk_api.context import platform
from stellwerk_api.repository.reading import repository

SYNC = "modules.sync"


def added(body: Mapping[str, Any]) -> dict[str, Any]:
    """Add a repository and have it read: a folder at once, an address by a job."""
    runtime, wanted = platform().runtime, NewRepository(**body)
    repository_id = repositories.add(runtime, caller().user_id, wanted)
    job_id = None
    if wanted.kind is SourceKind.HTTPS:
        job_id = str(submit_for_caller(SYNC, {"repository_id": repository_id}))
    else:
        with suppress(ProviderError):  # what is wrong with it stands in its row
            indices.sync(runtime, repository_id)
    return repository(repository_id) | {"sync_job_id": job_id}


def removed(repository_id: int) -> None:
    """Forget a repository; raises NotFound, Conflict."""
    repositories.remove(platform().runtime, caller().user_id, repository_id)
